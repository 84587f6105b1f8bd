from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hpvade
from hpvade._errors import InputError


def table(*, seeds=(0, 1), methods=("a", "b"), references=("ref",)):
    rows = [
        {
            "reference": reference, "dataset": dataset, "method": method, "seed": seed, "scope": scope,
            "r": 0.9 - 0.1 * seed, "ccc": 0.5 + 0.1 * seed, "ccc_lower": 0.3 - 0.1 * seed, "ccc_upper": 0.8,
        }
        for reference in references
        for dataset in ("one_1", "two")
        for method in methods
        for seed in seeds
        for scope in ("B", "mean of types", "pooled")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_panels_rows_and_legend():
    grid = hpvade.pl.benchmark_summary(table(references=("ref", "other")))
    assert grid.shape == (2, 3)
    figure = grid[0, 0].figure
    figure.draw_without_rendering()
    assert len(figure.axes) == 6
    titles = [axes.get_title() for axes in figure.axes[:3]]
    assert titles == ["Pearson r, mean over cell types", "CCC, mean over cell types", "CCC, pooled"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["ref", "", "", "other", "", ""]
    ticks = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert ticks == ["one\n1", "two", "mean over\ndata sets"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def marks(axes):
    """Places of the large marks, one array for each method."""
    return [c.get_offsets() for c in axes.collections if hasattr(c, "get_sizes") and c.get_sizes().max() > 20]


def test_values():
    r, _, pooled = hpvade.pl.benchmark_summary(table())[0]
    assert len(marks(r)) == 2
    np.testing.assert_allclose([m[:, 0] for m in marks(r)], 0.85)
    np.testing.assert_allclose(marks(pooled)[0][:, 0], 0.55)
    lines = next(c for c in pooled.collections if hasattr(c, "get_segments"))
    widest = [[0.2, 0.8]] * 2  # of the seeds
    np.testing.assert_allclose([s[:, 0] for s in lines.get_segments()], widest)


def test_a_mean_over_fewer_data_sets_is_not_drawn():
    partial = table(seeds=(0,))
    partial = partial[~((partial["method"] == "b") & (partial["dataset"] == "two"))]
    whole, part = marks(hpvade.pl.benchmark_summary(partial)[0, 0])
    assert np.isfinite(whole).all()
    assert len(whole) == 3
    assert np.isfinite(np.ma.filled(part, np.nan)).all(axis=1).sum() == 1


def test_undefined_values_and_many_methods():
    many = table(methods=tuple("abcdefghij"), seeds=(0,)).drop(columns=["ccc_lower", "ccc_upper"])
    many.loc[many["method"] == "c", "r"] = np.nan
    hpvade.pl.benchmark_summary(many)[0, 0].figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="ccc"), "no column 'ccc'"),
        (lambda t: t[t["scope"] == "B"], "no row with the scope"),
    ],
)
def test_bad_table(change, message):
    with pytest.raises(InputError, match=message):
        hpvade.pl.benchmark_summary(change(table()))
