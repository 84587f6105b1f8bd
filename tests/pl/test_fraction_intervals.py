from __future__ import annotations

import numpy as np
import pytest

import hpvade
from hpvade._errors import InputError


def draw(fractions, *, cell_type="CD8 T", **given):
    bounds = {"lower": fractions - 0.05, "upper": fractions + 0.1} | given
    return hpvade.pl.fraction_intervals(fractions, cell_type=cell_type, **bounds)


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_marks_and_intervals_are_sorted_and_matched_by_name(make_fractions):
    fractions = make_fractions(10)
    truth = make_fractions(10, seed=1)
    turned = (fractions - 0.05).iloc[::-1, ::-1]
    axes = draw(fractions, lower=turned, truth=truth.iloc[::-1].drop(index="sample_2"))
    order = fractions["CD8 T"].sort_values()
    lines, marks, diamonds = axes.collections
    np.testing.assert_allclose(marks.get_offsets()[:, 1], order)
    np.testing.assert_allclose([s[:, 1] for s in lines.get_segments()], np.c_[order - 0.05, order + 0.1])
    expected = truth["CD8 T"].drop(index="sample_2").reindex(order.index).to_numpy()
    np.testing.assert_allclose(np.ma.filled(diamonds.get_offsets()[:, 1], np.nan), expected)
    assert [label.get_text() for label in axes.get_xticklabels()] == list(order.index)
    assert axes.get_title(loc="left") == "CD8 T"
    assert legend_of(axes) == ["estimate", "interval", "truth"]


@pytest.mark.parametrize(("n", "banded"), [(1, False), (80, False), (81, True), (5000, True)])
def test_many_samples_become_a_band(n, banded, make_fractions):
    fractions = make_fractions(n)
    axes = draw(fractions)
    axes.figure.draw_without_rendering()
    assert len(axes.lines) == banded
    assert len(axes.collections) == (1 if banded else 2)
    if banded:
        np.testing.assert_allclose(axes.lines[0].get_ydata(), np.sort(fractions["CD8 T"]))
    assert legend_of(axes) == ["estimate", "interval"]


def test_missing_values_and_zero_variance(make_fractions):
    fractions = make_fractions(10)
    fractions.loc["sample_4", "B"] = np.nan
    fractions["NK"] = 0.0
    bounds = {"lower": fractions * 0, "upper": fractions * 0 + 0.02}
    assert len(draw(fractions, cell_type="B", **bounds).get_xticks()) == 9
    flat = draw(fractions, cell_type="NK", **bounds)
    assert flat.get_ylim()[1] >= 0.05
    flat.figure.draw_without_rendering()


def test_bad_input(make_fractions):
    fractions = make_fractions(5)
    for given, message in (
        ({"cell_type": "CD8"}, "no cell type 'CD8'.*Did you mean 'CD8 T'"),
        ({"lower": fractions.drop(index="sample_3")}, "lower has no sample 'sample_3'"),
        ({"upper": fractions.drop(columns="CD8 T")}, "upper has no cell type 'CD8 T'"),
        ({"lower": fractions + 0.2}, "lower is above upper in sample 'sample_"),
        ({"truth": fractions.drop(columns="CD8 T")}, "truth has no cell type 'CD8 T'"),
        ({"truth": fractions.rename(index=str.upper)}, "any sample.*same sample names"),
    ):
        with pytest.raises(InputError, match=message):
            draw(fractions, **given)
    with pytest.raises(InputError, match="no values of 'CD8 T'"):
        draw(fractions.assign(**{"CD8 T": np.nan}))
