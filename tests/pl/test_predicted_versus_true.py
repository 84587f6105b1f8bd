from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text

import hpvade
from hpvade._errors import InputError


def text_of(axes):
    return [t.get_text() for artist in axes.artists for t in artist.findobj(Text)]


def numbers_of(axes):
    return [float(line.split()[1]) for line in text_of(axes)[0].split("\n")]


def concordance(x, y):
    """Lin's, from the covariance matrix."""
    (a, c), (_, b) = np.cov(x, y, ddof=0)
    return 2 * c / (a + b + (x.mean() - y.mean()) ** 2)


@pytest.fixture
def tables(make_fractions):
    truth = make_fractions(30)
    return truth * 0.6 + make_fractions(30, seed=1) * 0.4, truth


def test_all_types_pooled(tables):
    predicted, truth = tables
    axes = hpvade.pl.predicted_versus_true(predicted.sample(frac=1, random_state=0), truth.iloc[:, ::-1])
    places = axes.collections[0].get_offsets()
    x, y = truth.to_numpy().ravel(), predicted.to_numpy().ravel()
    np.testing.assert_allclose(places[:, 0], x)
    np.testing.assert_allclose(places[:, 1], y)
    expected = [np.corrcoef(x, y)[0, 1], concordance(x, y), np.sqrt(np.mean((x - y) ** 2))]
    np.testing.assert_allclose(numbers_of(axes), expected, atol=6e-4)
    assert [t.get_text() for t in axes.get_legend().get_texts()] == list(predicted)


def test_one_type_with_intervals(tables):
    predicted, truth = tables
    axes = hpvade.pl.predicted_versus_true(
        predicted, truth, cell_type="NK", lower=predicted - 0.1, upper=predicted + 0.3
    )
    lines, marks = axes.collections
    x, y = truth["NK"].to_numpy(), predicted["NK"].to_numpy()
    np.testing.assert_allclose(marks.get_offsets(), np.c_[x, y])
    np.testing.assert_allclose([s[:, 1] for s in lines.get_segments()], np.c_[y - 0.1, y + 0.3])
    assert numbers_of(axes)[0] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=6e-4)
    assert axes.get_legend() is None
    assert axes.get_title(loc="left") == "NK"
    assert axes.get_ylim()[1] > (y + 0.3).max()


def test_both_axes_have_the_same_limits_and_the_diagonal(tables):
    axes = hpvade.pl.predicted_versus_true(*tables)
    axes.figure.draw_without_rendering()
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_aspect() == 1
    np.testing.assert_array_equal(axes.get_xticks(), axes.get_yticks())
    x, y = axes.lines[0].get_data()
    np.testing.assert_array_equal(x, y)


def test_a_single_type_keeps_its_color(tables):
    predicted, truth = tables
    axes = hpvade.pl.predicted_versus_true(predicted, truth[["NK"]])
    color = axes.get_legend().legend_handles[0].get_color()
    assert color == hpvade.pl.cell_type_colors(list(predicted))["NK"]


def test_missing_values_are_not_drawn_but_counted(tables):
    predicted, truth = tables
    truth.iloc[2] = np.nan
    predicted.iloc[5, 1] = np.nan
    axes = hpvade.pl.predicted_versus_true(predicted, truth)
    assert len(axes.collections[0].get_offsets()) == 115
    assert text_of(axes)[1] == "5 missing"


def test_undefined_metrics_are_marked(tables):
    predicted, truth = tables
    axes = hpvade.pl.predicted_versus_true(predicted, truth.assign(B=0.1), cell_type="B")
    assert text_of(axes)[0].split("\n")[:2] == ["r undefined", "CCC 0.000"]
    one = hpvade.pl.predicted_versus_true(predicted, truth.iloc[:1], cell_type="B")
    assert text_of(one) == ["one value: r and CCC undefined"]


def test_the_text_avoids_the_marks(tables):
    predicted, truth = tables
    box = hpvade.pl.predicted_versus_true(predicted, truth * 0, cell_type="B").artists[0]
    assert box.loc == 4  # lower right: all marks are on the left
    assert hpvade.pl.predicted_versus_true(predicted * 0, truth, cell_type="B").artists[0].loc == 2


def test_bad_input(tables):
    predicted, truth = tables
    for change, message in (
        ({"predicted": predicted.drop(index="sample_7")}, "predicted has no sample 'sample_7'"),
        ({"truth": truth.rename(columns=lambda name: name + "s")}, "no cell type in common: 'B'.*'Bs'"),
        ({"truth": truth * np.nan}, "No sample has both"),
        ({"lower": predicted}, "Only the lower bounds"),
        ({"upper": predicted}, "Only the upper bounds"),
        ({"lower": predicted.iloc[1:], "upper": predicted}, "lower has no sample 'sample_1'"),
        ({"cell_type": "b"}, "predicted has no cell type 'b'"),
        ({"cell_type": "B", "truth": truth.drop(columns="B")}, "truth has no cell type 'B'"),
        ({"truth": truth.iloc[:0]}, "truth is empty"),
    ):
        given = {"predicted": predicted, "truth": truth} | change
        with pytest.raises(InputError, match=message):
            hpvade.pl.predicted_versus_true(given.pop("predicted"), given.pop("truth"), **given)
