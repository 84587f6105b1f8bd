"""The label map renames, merges and drops labels, and may give levels or parents."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import hpvade
from hpvade._errors import FileFormatError, LabelError
from hpvade.pp import apply_label_map, label_map_levels, read_label_map


@pytest.fixture
def two():
    one = hpvade.testing.tiny_reference(n_cells=10)
    other = hpvade.testing.tiny_reference(n_cells=12, seed=2)[:, 20:].copy()
    return {"one": one, "other": other}


def test_label_map_renames_merges_and_drops(two):
    table = pd.DataFrame(
        {"label": ["B", "T", "Monocyte", "Monocyte"], "cell_type": ["Lymphocyte", "Lymphocyte", "", "Mono"]}
    ).assign(reference=["", "", "one", "other"])
    mapped = apply_label_map(two["one"], table, labels_key="cell_type", name="one")
    assert mapped.obs["cell_type"].value_counts().to_dict() == {"Lymphocyte": 20}
    other = apply_label_map(two["other"], table, labels_key="cell_type", name="other")
    assert set(other.obs["cell_type"]) == {"Lymphocyte", "Mono"}


def test_label_that_is_not_in_the_map(two):
    table = pd.DataFrame({"label": ["B"], "cell_type": ["B"]})
    with pytest.raises(LabelError, match="'Monocyte', 'T' of reference 'one' are not in the label map"):
        apply_label_map(two["one"], table, labels_key="cell_type", name="one")


def test_label_map_file(tmp_path):
    path = tmp_path / "map.tsv"
    path.write_text("label\tcell_type\nB\tB cell\n")
    assert read_label_map(path)["cell_type"].tolist() == ["B cell"]
    (compressed := tmp_path / "map.csv.gz").write_bytes(gzip.compress(b"label,cell_type\nB,B cell\n"))
    assert read_label_map(compressed)["cell_type"].tolist() == ["B cell"]
    path.write_text("label\tcell_type\nB \t B cell\n")  # spaces around labels are removed as in references
    assert read_label_map(path).to_dict("list") == {"label": ["B"], "cell_type": ["B cell"]}
    path.write_text("name\tcell_type\nB\tB cell\n")
    with pytest.raises(FileFormatError, match="has no column 'label'"):
        read_label_map(path)
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_label_map(tmp_path / "none.tsv")


def test_label_that_has_two_types_in_the_map(two):
    table = pd.DataFrame({"label": ["B", "B", "T", "Monocyte"], "cell_type": ["B", "T", "T", "M"]})
    with pytest.raises(LabelError, match="assigns 'B' to two cell types"):
        apply_label_map(two["one"], table, labels_key="cell_type", name="one")


def test_rows_that_name_the_reference_take_precedence(two):
    table = pd.DataFrame(
        {
            "label": ["B", "B", "T", "Monocyte"],
            "cell_type": ["special", "general", "T", "M"],
            "reference": ["one", "", "", ""],
        }
    )
    mapped = apply_label_map(two["one"], table, labels_key="cell_type", name="one")
    assert set(mapped.obs["cell_type"]) == {"special", "T", "M"}
    mapped = apply_label_map(two["other"], table, labels_key="cell_type", name="other")
    assert set(mapped.obs["cell_type"]) == {"general", "T", "M"}


def test_cells_without_a_label_can_be_dropped(two):
    two["one"].obs["cell_type"] = (
        two["one"].obs["cell_type"].astype(object).where(two["one"].obs_names != "cell_3")
    )
    table = pd.DataFrame({"label": ["B", "T", "Monocyte"], "cell_type": ["B", "T", "M"]})
    with pytest.raises(LabelError, match="'' means cells without a label"):
        apply_label_map(two["one"], table, labels_key="cell_type", name="one")
    table.loc[3] = ["", ""]
    assert apply_label_map(two["one"], table, labels_key="cell_type", name="one").n_obs == 29


def test_a_label_map_has_levels_in_their_order():
    table = pd.DataFrame(
        {
            "label": ["a", "b", "c", "d"],
            "cell_type": ["CD4", "CD8", "CD8", ""],
            "level_10": ["x", "y", "y", ""],
            "level_2": ["T", "T", "T", ""],
        }
    )
    found = label_map_levels(table)
    assert list(found) == ["level_2", "level_10"]
    assert found.loc["CD8"].tolist() == ["T", "y"]
    with pytest.raises(LabelError, match="'CD8' to two groups"):
        label_map_levels(table.assign(level_10=[*list("xyz"), ""]))


def test_parents_become_levels():
    table = pd.DataFrame(
        {
            "label": ["a", "b", "c", "", ""],
            "cell_type": ["CD4", "CD8", "Mono", "T", "lymphoid"],
            "parent": ["T", "T", "myeloid", "lymphoid", ""],
        }
    )
    found = label_map_levels(table)
    assert list(found) == ["level_1", "level_2"]
    assert found.loc["CD4"].tolist() == ["lymphoid", "T"]
    assert found.loc["Mono"].tolist() == ["myeloid", "Mono"]
    with pytest.raises(LabelError, match="is its own ancestor"):
        label_map_levels(table.assign(parent=["T", "T", "", "lymphoid", "T"]))


def test_rows_of_groups_map_no_label():
    table = pd.DataFrame(
        {
            "label": ["a", "b", "", ""],
            "cell_type": ["CD4", "B", "T", "lymphoid"],
            "parent": ["T", "lymphoid", "lymphoid", ""],
        }
    )
    cells = AnnData(np.ones((3, 1)), obs=pd.DataFrame({"label": ["a", "b", "a"]}, index=list("xyz")))
    found = apply_label_map(cells, table, labels_key="label", name="r")
    assert found.obs["label"].tolist() == ["CD4", "B", "CD4"]
    cells.obs["label"] = ["a", "b", None]
    with pytest.raises(LabelError, match="not in the label map"):
        apply_label_map(cells, table, labels_key="label", name="r")
