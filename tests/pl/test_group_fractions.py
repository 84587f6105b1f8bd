"""Fractions in groups of samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import InputError
from hpvade.pl import group_fractions


@pytest.fixture
def groups(make_fractions):
    return pd.Series(["old"] * 5 + ["young"] * 5, index=make_fractions().index[:10])


def test_each_box_shows_its_group_and_type(make_fractions, groups):
    fractions = make_fractions()
    axes = group_fractions(fractions, groups=groups)
    drawn = [line for line in axes.lines if line.get_linewidth() == 1.2]
    medians = sorted((line.get_xdata().mean(), line.get_ydata()[0]) for line in drawn)
    expected = fractions.iloc[:10].groupby(groups).median()
    np.testing.assert_allclose([value for _, value in medians], expected.to_numpy().T.ravel())
    assert [text.get_text() for text in axes.get_xticklabels()] == list(fractions)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["old", "young"]


def test_every_sample_of_a_group_has_a_mark(make_fractions, groups):
    axes = group_fractions(make_fractions(), groups=groups)
    assert sum(len(marks.get_offsets()) for marks in axes.collections) == 10 * 4


def test_the_plot_is_reproducible(make_fractions, groups):
    first, second = (group_fractions(make_fractions(), groups=groups) for _ in range(2))
    np.testing.assert_array_equal(first.collections[0].get_offsets(), second.collections[0].get_offsets())


def test_not_a_table(groups):
    with pytest.raises(InputError, match="fractions must be a DataFrame"):
        group_fractions([0.2, 0.8], groups=groups)
