from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import hpvade
from hpvade._errors import InputError

SIGNATURE = pd.DataFrame(
    {
        "B": [1000, 400, 0, 30, 500, 10, 80],
        "T": [0, 100, 900, 10, 500, 60, 0],
        "NK": [10, 100, 800, 0, 0, 0, 0],
    },
    index=["b1", "b2", "t2", "low", "tie", "t1", "b3"],
    dtype=float,
)


def rows_of(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_markers_are_grouped_by_type_and_the_best_come_first():
    axes = hpvade.pl.signature_heatmap(SIGNATURE)
    # (1025/35, 425/125, 105/25) of B; (85/35, 925/825) of T; 'tie' is of no type, 'low' below 50 CPM
    assert rows_of(axes) == ["b1", "b3", "b2", "t1", "t2"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["B", "T", "NK"]
    assert rows_of(hpvade.pl.signature_heatmap(SIGNATURE, n_markers=1)) == ["b1", "t1"]


def test_colors_are_shares_of_the_largest_log_expression():
    values = hpvade.pl.signature_heatmap(SIGNATURE).images[0].get_array()
    np.testing.assert_allclose(values[0], [1, 0, np.log1p(0.1) / np.log1p(10)])
    np.testing.assert_allclose(values.max(1), 1)


def test_the_strip_of_each_type_spans_its_rows():
    axes = hpvade.pl.signature_heatmap(SIGNATURE)
    strips = [(bar.get_y(), bar.get_height()) for bar in axes.patches]
    assert strips == [(-0.5, 3), (2.5, 2), (4.5, 0)]
    colors = hpvade.pl.cell_type_colors(list(SIGNATURE))
    assert [bar.get_facecolor()[:3] for bar in axes.patches] == [
        tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)) for color in colors.values()
    ]


def test_genes_are_named_if_there_is_room():
    rng = np.random.default_rng(0)
    genes = [f"g{i}" for i in range(2000)]
    many = pd.DataFrame(
        rng.gamma(0.4, 500, (2000, 30)), index=genes, columns=[f"type {i}" for i in range(30)]
    )
    small = hpvade.pl.signature_heatmap(many, ax=Figure(layout="constrained").subplots())
    assert rows_of(small) == []
    assert small.get_ylabel() == "150 genes"
    large = hpvade.pl.signature_heatmap(many, n_markers=4)
    assert len(rows_of(large)) == 120


def test_genes_with_missing_values_are_excluded():
    signature = SIGNATURE.copy()
    signature.loc["b3", "NK"] = np.nan
    assert rows_of(hpvade.pl.signature_heatmap(signature)) == ["b1", "b2", "t1", "t2"]


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (SIGNATURE[["B"]], "1 cell type"),
        (SIGNATURE - 100, "negative values"),
        (SIGNATURE * 0, "no gene with at least 50 CPM"),
        (SIGNATURE * np.nan, "no gene with at least 50 CPM"),
        (SIGNATURE.iloc[:0], "signature is empty .0 genes"),
    ],
)
def test_bad_input(signature, message):
    with pytest.raises(InputError, match=message):
        hpvade.pl.signature_heatmap(signature)
