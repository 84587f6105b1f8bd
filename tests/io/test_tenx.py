"""10x folders: of both kinds, with labels, and damaged."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import io as scipy_io
from scipy import sparse

from hpvade._errors import FileFormatError, LabelError
from hpvade._warnings import DataWarning
from hpvade.io import read_reference

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

COUNTS = np.array([[0, 3, 1, 0], [2, 0, 0, 5], [1, 1, 7, 0]], dtype=np.float32)


def counts_of(reference: AnnData) -> np.ndarray:
    counts = reference.layers["counts"]
    assert counts.format == "csr"
    assert counts.dtype == np.float32
    return counts.toarray()


def write(path: Path, text: str, *, compressed: bool) -> None:
    if compressed:
        with gzip.open(f"{path}.gz", "wt") as handle:
            handle.write(text)
    else:
        path.write_text(text)


@pytest.fixture
def tenx(tmp_path):
    def build(*, compressed=True, features=True, labels="labels.tsv"):
        folder = tmp_path / "tenx"
        folder.mkdir()
        genes_by_cells = sparse.coo_matrix(np.vstack([COUNTS.T, [[9, 9, 9]]]).astype(int))
        scipy_io.mmwrite(folder / "matrix.mtx", genes_by_cells)
        rows = ["ENSG01\tCD3E", "ENSG02\tCD19", "ENSG03\tCD3E", "ENSG04\tLYZ"]
        if features:
            rows = [f"{row}\tGene Expression" for row in rows] + ["CD3\tCD3_prot\tAntibody Capture"]
        else:
            rows += ["ENSG05\tACTB"]
        if compressed:
            content = (folder / "matrix.mtx").read_bytes()
            (folder / "matrix.mtx").unlink()
            (folder / "matrix.mtx.gz").write_bytes(gzip.compress(content))
        name = "features.tsv" if features else "genes.tsv"
        write(folder / name, "\n".join(rows) + "\n", compressed=compressed)
        write(folder / "barcodes.tsv", "AAC-1\nGGT-1\nTTA-1\n", compressed=compressed)
        if labels:
            sep = "," if labels.endswith("csv") else "\t"
            lines = [f"barcode{sep}cell_type", f"TTA-1{sep}Mono", f"AAC-1{sep}T"]
            write(folder / labels, "\n".join(lines) + "\n", compressed=compressed)
        return folder

    return build


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("labels", ["labels.tsv", "metadata.csv"])
def test_tenx_with_antibodies_and_repeated_symbols(tenx, compressed, labels):
    with pytest.warns(DataWarning, match="'CD3E'"):
        reference = read_reference(tenx(compressed=compressed, labels=labels))
    assert list(reference.var_names) == ["CD3E", "CD19", "LYZ"]
    assert list(reference.var["gene_ids"]) == ["ENSG01", "ENSG02", "ENSG04"]
    np.testing.assert_array_equal(counts_of(reference), [[1, 3, 0], [2, 0, 5], [8, 1, 0]])
    assert list(reference.obs["cell_type"].astype(object).fillna("-")) == ["T", "-", "Mono"]


def test_tenx_of_the_older_kind(tenx):
    with pytest.warns(DataWarning, match="'CD3E'"):
        reference = read_reference(tenx(features=False))
    assert list(reference.var_names) == ["CD3E", "CD19", "LYZ", "ACTB"]


def test_tenx_without_labels_states_the_remedy(tenx):
    with pytest.raises(LabelError, match=r"Add a table labels\.tsv to the folder.*'kind'"):
        read_reference(tenx(labels=None), labels_key="kind")


def test_tenx_labels_of_other_cells(tenx):
    folder = tenx(compressed=False)
    (folder / "labels.tsv").write_text("barcode\tcell_type\nXXX\tT\n")
    with pytest.raises(LabelError, match=r"lists none of the cells.*'XXX'.*'AAC-1'"):
        read_reference(folder)


def test_tenx_with_a_file_missing_or_cut(tenx):
    folder = tenx(compressed=False)
    (folder / "barcodes.tsv").write_text("AAC-1\n")
    with pytest.raises(FileFormatError, match="list 5 genes and 1 cells"):
        read_reference(folder)
    (folder / "barcodes.tsv").unlink()
    with pytest.raises(FileFormatError, match=r"has no barcodes\.tsv"):
        read_reference(folder)


def test_tenx_with_a_truncated_matrix(tenx):
    folder = tenx()
    content = (folder / "matrix.mtx.gz").read_bytes()
    (folder / "matrix.mtx.gz").write_bytes(content[:-15])
    with pytest.raises(FileFormatError, match=r"matrix\.mtx\.gz cannot be read"):
        read_reference(folder)
