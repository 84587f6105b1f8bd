"""10x folders and HDF5 files: of both kinds, with labels, and damaged."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
import scanpy as sc
from scipy import io as scipy_io
from scipy import sparse

from hpvade._errors import FileFormatError, LabelError
from hpvade._warnings import DataWarning
from hpvade.io import count_cells, read_reference

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


def warned(path, **options) -> tuple[AnnData, list[str]]:
    """Read a reference, and return it with what was said about it."""
    with pytest.warns(DataWarning) as caught:
        reference = read_reference(path, **options)
    notes = [str(warning.message) for warning in caught]
    assert notes == [f"{path.name}: {note}" for note in reference.uns["hpvade"]["notes"]]
    return reference, notes


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("labels", ["labels.tsv", "metadata.csv"])
def test_tenx_with_antibodies_and_repeated_symbols(tenx, compressed, labels):
    reference, notes = warned(tenx(compressed=compressed, labels=labels))
    assert list(reference.var_names) == ["CD3E", "CD19", "LYZ"]
    assert list(reference.var["gene_ids"]) == ["ENSG01", "ENSG02", "ENSG04"]
    np.testing.assert_array_equal(counts_of(reference), [[1, 3, 0], [8, 1, 0]])
    assert list(reference.obs["cell_type"]) == ["T", "Mono"]
    assert "1 of 3 cells have no label" in notes[0]
    assert "Features that are not genes were left out: Antibody Capture (1)" in notes[1]
    assert "'CD3E'" in notes[2]


def test_tenx_of_the_older_kind(tenx):
    reference, _ = warned(tenx(features=False))
    assert list(reference.var_names) == ["CD3E", "CD19", "LYZ", "ACTB"]


def test_a_table_of_labels_elsewhere_goes_before_the_one_in_the_folder(tenx, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("cell,cell_type\nAAC-1,x\nGGT-1,y\nTTA-1,z\n")
    reference, _ = warned(tenx(), labels=table)
    assert list(reference.obs["cell_type"]) == ["x", "y", "z"]


@pytest.fixture
def tenx_h5(tmp_path):
    """Write the HDF5 file of Cell Ranger 3 or 2, features × cells by columns."""
    names = ["CD3E", "CD19", "ACTB", "LYZ", "CD3_prot"]
    ids = [*(f"ENSG0{i}" for i in range(1, 5)), "CD3"]
    types = ["Gene Expression"] * 4 + ["Antibody Capture"]

    def texts(values):
        return np.array(values, dtype="S")

    def build(version=3, genomes=("GRCh38",)):
        counts = sparse.csc_matrix(np.vstack([COUNTS.T, [[9, 9, 9]]]).astype(np.int32))
        path = tmp_path / "filtered_feature_bc_matrix.h5"
        with h5py.File(path, "w") as file:
            for name in ("matrix",) if version == 3 else genomes:
                group = file.create_group(name)
                for part in ("data", "indices", "indptr"):
                    group[part] = getattr(counts, part)
                group["shape"] = counts.shape
                group["barcodes"] = texts(["AAC-1", "GGT-1", "TTA-1"])
                if version == 3:
                    group["features/id"], group["features/name"] = texts(ids), texts(names)
                    group["features/feature_type"] = texts(types)
                else:
                    group["genes"], group["gene_names"] = texts(ids), texts(names)
        (tmp_path / "labels.tsv").write_text("barcode\tcell_type\nTTA-1\tMono\nAAC-1\tT\nGGT-1\tB\n")
        return path

    return build


@pytest.mark.parametrize("version", [2, 3])
def test_tenx_hdf5(tenx_h5, tmp_path, version):
    path = tenx_h5(version)
    assert count_cells(path) is None
    reference, notes = warned(path, labels=tmp_path / "labels.tsv")
    # scanpy reads the same, without labels
    expected = sc.read_10x_h5(path, gex_only=version == 3)
    kept = expected[:, ["CD3E", "CD19", "ACTB", "LYZ"]]
    np.testing.assert_array_equal(counts_of(reference), kept.X.toarray())
    assert list(reference.var_names) == list(kept.var_names)
    assert list(reference.var["gene_ids"]) == list(kept.var["gene_ids"])
    assert list(reference.obs["cell_type"]) == ["T", "B", "Mono"]
    assert ("Antibody Capture (1)" if version == 3 else "antibodies (1)") in notes[0]


def test_tenx_hdf5_without_labels_states_the_remedy(tenx_h5):
    path = tenx_h5()
    with pytest.raises(
        LabelError, match=r"10x output does not include them\. Pass --labels TABLE.*'cell_type'"
    ):
        read_reference(path)
    with pytest.warns(DataWarning, match="not genes"):
        assert read_reference(path, labels_key=None).n_obs == 3


def test_tenx_hdf5_of_several_genomes_or_cut(tenx_h5, tmp_path):
    with pytest.raises(FileFormatError, match="holds the genomes hg19, mm10"):
        read_reference(tenx_h5(2, genomes=("hg19", "mm10")), labels=tmp_path / "labels.tsv")
    path = tenx_h5()
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(FileFormatError, match="truncated"):
        read_reference(path, labels=tmp_path / "labels.tsv")


def test_tenx_without_labels_states_the_remedy(tenx):
    with pytest.raises(LabelError, match=r"Add a table labels\.tsv to the folder, or pass --labels.*'kind'"):
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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("%%MatrixMarket matrix coordinate integer general\n2 2 1\n3 1 5\n", "outside"),
        ("%%MatrixMarket matrix coordinate integer general\n2 2 1\n0 1 5\n", "outside"),
        ("%%MatrixMarket matrix coordinate integer general\n2 2 2\n1 1 5\n", "has 1 of 2 entries"),
        ("%%MatrixMarket matrix coordinate integer general\n2 2 1\n1.5 1 5\n", "not three numbers"),
        ("%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 1\n", "not three numbers"),
        ("%%MatrixMarket matrix coordinate integer general\n", "cannot be read"),
        ("%%MatrixMarket matrix coordinate integer symmetric\n2 2 1\n1 1 5\n", "first line"),
        ("%%MatrixMarket matrix array real general\n1 1\n5\n", "first line"),
    ],
)
def test_damaged_matrix_market(tmp_path, text, reason):
    (tmp_path / "matrix.mtx").write_text(text)
    with pytest.raises(FileFormatError, match=reason):
        read_reference(tmp_path)
