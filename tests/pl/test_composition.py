from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import hpvade
from hpvade._errors import InputError


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def ticks_of(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


def test_a_bar_for_each_fraction_stacked_in_the_order_of_the_columns(make_fractions):
    fractions = make_fractions(5)
    axes = hpvade.pl.composition(fractions)
    bars = {tuple(np.round([b.get_x() + b.get_width() / 2, b.get_y()], 6)): b for b in axes.patches}
    assert len(axes.patches) == 20
    colors = hpvade.pl.cell_type_colors(list(fractions))
    below = fractions.cumsum(axis=1) - fractions
    for i, sample in enumerate(fractions.index):
        for name in fractions:
            bar = bars[(i, round(below.loc[sample, name], 6))]
            assert bar.get_height() == pytest.approx(fractions.loc[sample, name])
            assert (
                "#{:02x}{:02x}{:02x}".format(*(round(255 * c) for c in bar.get_facecolor()[:3]))
                == colors[name]
            )
    assert legend_of(axes) == ["NK", "CD8 T", "CD4 T", "B"]
    assert ticks_of(axes) == list(fractions.index)


def test_sorting_by_a_type_puts_it_at_the_bottom(make_fractions):
    fractions = make_fractions(8)
    axes = hpvade.pl.composition(fractions, order="CD8 T")
    assert ticks_of(axes) == list(fractions["CD8 T"].sort_values(ascending=False).index)
    assert legend_of(axes)[-1] == "CD8 T"
    lowest = [bar.get_height() for bar in axes.patches if bar.get_y() == 0]
    assert lowest == sorted(fractions["CD8 T"], reverse=True)


def test_clustering_puts_similar_samples_side_by_side():
    rng = np.random.default_rng(0)
    kind = np.tile([0, 1, 2], 7)
    fractions = pd.DataFrame(np.eye(3)[kind] * 0.9 + rng.dirichlet(np.ones(3), 21) * 0.1, columns=list("ABC"))
    fractions.index = [f"{'abc'[k]}{i}" for i, k in enumerate(kind)]
    fractions.loc["c20"] = np.nan
    found = ticks_of(hpvade.pl.composition(fractions, order="clustered"))
    assert sorted(found) == sorted(fractions.index)
    assert found[-1] == "c20"
    runs = "".join(name[0] for name in found[:-1])
    assert sum(a != b for a, b in pairwise(runs)) == 2


def test_many_samples_are_clustered_by_a_subset(make_fractions, monkeypatch):
    monkeypatch.setattr("hpvade.pl._composition._MAX_CLUSTERED", 10)
    monkeypatch.setattr("hpvade.pl._style.LINE", 0)
    rng = np.random.default_rng(1)
    kind = rng.permutation(np.repeat([0, 1], 40))
    fractions = pd.DataFrame(np.eye(2)[kind] * 0.8 + rng.dirichlet([1, 1], 80) * 0.2, columns=list("AB"))
    fractions.index = [f"{'ab'[k]}{i}" for i, k in enumerate(kind)]
    found = ticks_of(hpvade.pl.composition(fractions, order="clustered"))
    assert sorted(found) == sorted(fractions.index)
    assert sum(a[0] != b[0] for a, b in pairwise(found)) == 1


@pytest.mark.parametrize("n", [60, 61, 5000])
def test_many_samples_have_no_gaps_and_no_names(n, make_fractions):
    fractions = make_fractions(n)
    axes = hpvade.pl.composition(fractions)
    assert ticks_of(axes) == []
    assert axes.get_xlabel() == f"{n:,} samples"
    assert len(axes.patches) == (4 * n if n == 60 else 4)
    if n > 60:
        tops = [patch.get_data().values for patch in axes.patches]
        np.testing.assert_allclose(tops[::-1], fractions.cumsum(axis=1).to_numpy().T)
    axes.figure.draw_without_rendering()


def test_names_are_written_if_there_is_room(make_fractions):
    wide, narrow = Figure(figsize=(12, 4)).subplots(1, 2, width_ratios=[5, 1])
    fractions = make_fractions(20)
    assert hpvade.pl.composition(fractions, ax=wide) is wide
    hpvade.pl.composition(fractions, ax=narrow)
    assert ticks_of(wide) == list(fractions.index)
    assert narrow.get_xlabel() == "20 samples"


def test_a_sample_with_a_missing_value_is_left_empty(make_fractions):
    fractions = make_fractions(3)
    fractions.iloc[1, 2] = np.nan
    axes = hpvade.pl.composition(fractions)
    assert ticks_of(axes) == list(fractions.index)
    heights = np.array([bar.get_height() for bar in axes.patches]).reshape(4, 3)
    assert np.isnan(heights).all(0).tolist() == [False, True, False]


def test_long_names_and_names_with_formulas_are_shown_verbatim():
    names = ["a very long name of a cell type that nobody reads to its end", "_hidden", "T $x$ and $y$"]
    fractions = pd.DataFrame(
        [[0.2, 0.3, 0.5]], columns=names, index=["a $sample$ with a very, very long name"]
    )
    axes = hpvade.pl.composition(fractions)
    axes.figure.draw_without_rendering()
    shown = [text.replace("\n", " ").replace(r"\$", "$") for text in legend_of(axes)]
    assert shown == names[::-1]
    assert max(len(line) for text in legend_of(axes) for line in text.split("\n")) <= 28
    assert len(ticks_of(axes)[0].replace("\\", "")) <= 22


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        (pd.DataFrame(columns=["B"]), "fractions is empty .0 samples, 1 cell types"),
        ([[0.5, 0.5]], "must be a DataFrame"),
        (
            pd.DataFrame({"B": [50.0], "T": [50.0]}, index=["s1"]),
            "'s1' of fractions is not a composition",
        ),
        (pd.DataFrame({"B": [-0.2], "T": [1.2]}), "not a composition"),
        (pd.DataFrame({"B": [np.nan], "T": [1.0]}), "missing values in every sample"),
        (pd.DataFrame({"B": ["much"]}), "not numeric"),
        (pd.DataFrame([[0.5, 0.5]], columns=["B", "B"]), "'B' more than once"),
        (pd.DataFrame({"B": [np.inf]}), "infinite"),
    ],
)
def test_bad_fractions(fractions, message):
    with pytest.raises(InputError, match=message):
        hpvade.pl.composition(fractions)


def test_an_unknown_order(make_fractions):
    with pytest.raises(InputError, match=r"no cell type 'CD4'\. Available: B, CD4 T.*Did you mean 'CD4 T'"):
        hpvade.pl.composition(make_fractions(), order="CD4")
