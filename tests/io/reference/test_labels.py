"""Labels in obs and in tables."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hpvade._errors import FileFormatError, LabelError
from hpvade._warnings import DataWarning
from hpvade.io import open_reference, read_reference

CELLS = ["AAC-1", "GGT-1", "TTA-1", "CCG-1"]
COUNTS = np.arange(8, dtype=np.float32).reshape(4, 2)


@pytest.fixture
def saved(tmp_path):
    def save(cells=CELLS, **obs):
        path = tmp_path / "cells.h5ad"
        obs = pd.DataFrame(obs or {"lane": ["l1"] * 4}, index=cells)
        AnnData(COUNTS, obs=obs, var=pd.DataFrame(index=["CD3E", "LYZ"])).write_h5ad(path)
        return path

    return save


@pytest.fixture
def table(tmp_path):
    def write(text, name="labels.tsv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
        return path

    return write


def labels_of(cells):
    return dict(cells.obs["cell_type"].astype(object))


EXPECTED = {"AAC-1": "T", "GGT-1": "B", "TTA-1": "T", "CCG-1": "B"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.tsv", "barcode\tcell_type\nTTA-1\tT\nGGT-1\tB\nAAC-1\tT\nCCG-1\tB\n"),
        ("labels.csv", 'x,cell_type,donor\nTTA-1,T,"d,1"\nGGT-1,B,d\nAAC-1,T,d\nCCG-1,B,d\nZZZ-1,B,d\n'),
        ("labels.tsv.gz", "\tcell_type\nTTA-1\tT\nGGT-1\tB\nAAC-1\tT\nCCG-1\tB\n"),
        ("from_r.txt", "cell_type\nTTA-1\tT\nGGT-1\tB\nAAC-1\tT\nCCG-1\tB\n"),
    ],
)
def test_a_table_labels_the_cells_by_their_barcodes(saved, table, name, text):
    path, labels = saved(), table(text, name)
    assert labels_of(read_reference(path, labels=labels)) == EXPECTED
    with open_reference(path, labels=labels) as file:
        assert labels_of(file) == EXPECTED


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            "Barcode,Graph-based\nTTA-1,T\nGGT-1,B\nAAC-1,T\nCCG-1,B\n",
            "'Graph-based', was taken as 'cell_type'",
        ),
        ("TTA-1\tT\nGGT-1\tB\nAAC-1\tT\nCCG-1\tB\n", "was taken as 'cell_type'"),
        ("barcode\tcell_type\nTTA\tT\nGGT\tB\nAAC\tT\nCCG\tB\n", "without the number at their end"),
    ],
    ids=["one other column", "no header", "no library"],
)
def test_what_is_guessed_about_a_table_is_said(saved, table, text, note):
    with pytest.warns(DataWarning, match=note):
        cells = read_reference(saved(), labels=table(text))
    assert labels_of(cells) == EXPECTED


def test_cells_without_a_label_in_the_table_are_left_out(saved, table):
    labels = table("barcode\tcell_type\nTTA-1\tT\nGGT-1\tB\nAAC-1\t\n")
    with pytest.warns(DataWarning, match=r"2 of 4 cells have no label in labels\.tsv and were left out"):
        cells = read_reference(saved(), labels=labels)
    assert labels_of(cells) == {"GGT-1": "B", "TTA-1": "T"}
    np.testing.assert_array_equal(cells.layers["counts"].toarray(), COUNTS[[1, 2]])


def test_a_table_replaces_labels_in_the_file(saved, table):
    labels = table("barcode\tcell_type\nTTA-1\tT\nGGT-1\tB\nAAC-1\tT\nCCG-1\tB\n")
    with pytest.warns(DataWarning, match=r"replace those in obs\['cell_type'\]"):
        cells = read_reference(saved(cell_type=["?"] * 4), labels=labels)
    assert labels_of(cells) == EXPECTED


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("barcode\tcell_type\nXXX-1\tT\n", LabelError, r"lists none of the cells.*'XXX-1'.*'AAC-1'"),
        ("barcode\ttype\tdonor\nTTA-1\tT\td\n", LabelError, r"Columns: type, donor.*--labels-key"),
        ("barcode\tcell_type\nTTA-1\tT\nTTA-1\tB\n", LabelError, r"lists the cell 'TTA-1' twice"),
        ("TTA-1\nGGT-1\n", FileFormatError, "has one column"),
        ("", FileFormatError, "table of labels"),
    ],
)
def test_tables_that_cannot_be_used(saved, table, text, error, message):
    with pytest.raises(error, match=message):
        read_reference(saved(), labels=table(text))


def test_cells_of_one_name_all_get_its_label(saved, table):
    with pytest.warns(UserWarning, match="not unique"):
        path = saved(cells=["AAC-1", "AAC-1", "TTA-1", "CCG-1"])
    with open_reference(path, labels=table("x,cell_type\nTTA-1,T\nAAC-1,B\nCCG-1,B\n")) as file:
        assert list(file.obs["cell_type"]) == ["B", "B", "T", "B"]


def test_barcodes_of_several_libraries_are_not_compared_without_them(tmp_path, table):
    obs = pd.DataFrame({"lane": ["1", "2"]}, index=["AAC-1", "AAC-2"])
    AnnData(COUNTS[:2], obs=obs).write_h5ad(tmp_path / "two.h5ad")
    with pytest.raises(LabelError, match="lists none of the cells"):
        read_reference(tmp_path / "two.h5ad", labels=table("barcode\tcell_type\nAAC\tT\n"))


def test_spaces_around_labels_are_removed(saved):
    path = saved(cell_type=["T cell", "T cell ", " B", "\u00a0B"])
    with pytest.warns(DataWarning, match="which joined 'T cell ' with the same names"):
        cells = read_reference(path)
    assert list(cells.obs["cell_type"].cat.categories) == ["B", "T cell"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"annotation": ["T", "T", "B", "B"], "donor": ["d", "d", "e", "e"]}, "cell types: 'annotation'"),
        ({"celltypes": ["T", "T", "B", "B"]}, "Did you mean 'celltypes'"),
        ({"leiden": [0, 1, 1, 0], "score": [0.1, 0.2, 0.3, 0.4]}, "cell types: 'leiden'"),
        ({"major": ["T", "T", "B", "B"], "sample_id": ["a", "b", "a", "b"]}, "cell types: 'major'"),
        ({"donor": ["d", "d", "e", "e"]}, r"Select one with --labels-key\. .* with --labels"),
    ],
)
def test_a_missing_column_of_labels_shows_which_it_may_be(saved, columns, expected):
    with pytest.raises(LabelError, match=expected):
        read_reference(saved(**columns))
    assert read_reference(saved(**columns), labels_key=None).n_obs == 4
