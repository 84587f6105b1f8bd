"""Levels of cell types: read from columns, a label map or parents; contradictions are refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hpvade._errors import LabelError
from hpvade.pp import apply_label_map, hierarchy_of, levels_of_label_map

OBS = pd.DataFrame(
    {
        "cell_type": ["CD4 T", "CD8 T", "B", "Mono", "CD4 T"],
        "level_1": ["lymphoid", "lymphoid", "lymphoid", "myeloid", "lymphoid"],
        "level_2": ["T", "T", "B", "Mono", "T"],
    }
)


def read(obs, *levels):
    return hierarchy_of(obs, labels_key="cell_type", levels=levels)


def test_groups_sum_their_types():
    found = read(OBS, "level_1", "level_2")
    assert list(found.table.index) == ["B", "CD4 T", "CD8 T", "Mono"]
    fractions = np.array([0.1, 0.2, 0.3, 0.4])
    assert found.groups("level_1") == ["lymphoid", "myeloid"]
    np.testing.assert_allclose(fractions @ found.membership("level_1"), [0.6, 0.4])
    assert found.groups("level_2") == ["B", "T", "Mono"]
    np.testing.assert_allclose(fractions @ found.membership("level_2"), [0.1, 0.5, 0.4])


def test_without_levels_there_are_none():
    assert read(OBS).levels == []


@pytest.mark.parametrize(
    ("levels", "change", "message"),
    [
        (["level_9"], {}, "level_9"),
        (
            ["level_1"],
            {"level_1": ["lymphoid", "lymphoid", "lymphoid", "myeloid", "myeloid"]},
            "'CD4 T' is of",
        ),
        (["level_2", "level_1"], {}, "Of level 'level_1', group 'lymphoid' is of"),
        (["level_1"], {"level_1": ["a", "b", None, "c", "a"]}, "'B' has no group"),
        (["a/b"], {"a/b": ["x"] * 5}, "cannot name a level"),
        (["cell_type"], {}, "cannot name a level"),
        (["a_lower"], {"a_lower": ["x"] * 5}, "cannot name a level"),
        (["level_1", "level_1"], {}, "different columns"),
    ],
)
def test_contradictions(levels, change, message):
    with pytest.raises(LabelError, match=message):
        read(OBS.assign(**change), *levels)


def test_a_label_map_has_levels_in_their_order():
    table = pd.DataFrame(
        {
            "label": ["a", "b", "c", "d"],
            "cell_type": ["CD4", "CD8", "CD8", ""],
            "level_10": ["x", "y", "y", ""],
            "level_2": ["T", "T", "T", ""],
        }
    )
    found = levels_of_label_map(table)
    assert list(found) == ["level_2", "level_10"]
    assert found.loc["CD8"].tolist() == ["T", "y"]
    with pytest.raises(LabelError, match="'CD8' into two groups"):
        levels_of_label_map(table.assign(level_10=[*list("xyz"), ""]))


def test_parents_become_levels():
    table = pd.DataFrame(
        {
            "label": ["a", "b", "c", "", ""],
            "cell_type": ["CD4", "CD8", "Mono", "T", "lymphoid"],
            "parent": ["T", "T", "myeloid", "lymphoid", ""],
        }
    )
    found = levels_of_label_map(table)
    assert list(found) == ["level_1", "level_2"]
    assert found.loc["CD4"].tolist() == ["lymphoid", "T"]
    assert found.loc["Mono"].tolist() == ["myeloid", "Mono"]
    with pytest.raises(LabelError, match="among its own parents"):
        levels_of_label_map(table.assign(parent=["T", "T", "", "lymphoid", "T"]))


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
