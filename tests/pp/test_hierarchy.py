"""Levels of cell types are read from columns of obs; contradictions are refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import LabelError
from hpvade.pp import Hierarchy

OBS = pd.DataFrame(
    {
        "cell_type": ["CD4 T", "CD8 T", "B", "Mono", "CD4 T"],
        "level_1": ["lymphoid", "lymphoid", "lymphoid", "myeloid", "lymphoid"],
        "level_2": ["T", "T", "B", "Mono", "T"],
    }
)


def read(obs, *levels):
    return Hierarchy.from_obs(obs, labels_key="cell_type", levels=levels)


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
            "'CD4 T' belongs to 'lymphoid' and 'myeloid'",
        ),
        (["level_2", "level_1"], {}, "Group 'lymphoid' of level 'level_1' belongs to"),
        (["level_1"], {"level_1": ["a", "b", None, "c", "a"]}, "'B' has no group"),
        (["a/b"], {"a/b": ["x"] * 5}, "cannot be used as the name of a level"),
        (["cell_type"], {}, "cannot be used as the name of a level"),
        (["a_lower"], {"a_lower": ["x"] * 5}, "cannot be used as the name of a level"),
        (["level_1", "level_1"], {}, "different columns"),
    ],
)
def test_contradictions(levels, change, message):
    with pytest.raises(LabelError, match=message):
        read(OBS.assign(**change), *levels)
