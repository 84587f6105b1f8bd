from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

import hpvade
from hpvade._errors import InputError

COVERAGE = pd.DataFrame(
    {"all types": [0.88, 0.5], "T-cell": [0.97, 0.41], "B": [0.9, 0.52]}, index=[0.9, 0.5]
)


def text_of(axes):
    return [t.get_text() for artist in axes.artists for t in artist.findobj(Text)]


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_lines_are_sorted_and_that_of_all_types_is_bold():
    axes = hpvade.pl.calibration(COVERAGE)
    identity, *types, strong = axes.lines
    np.testing.assert_array_equal(*identity.get_data())
    assert strong.get_data()[0].tolist() == [0.5, 0.9]
    assert strong.get_data()[1].tolist() == [0.5, 0.88]
    assert [line.get_ydata().tolist() for line in types] == [[0.41, 0.97], [0.52, 0.9]]
    assert all(strong.get_linewidth() > line.get_linewidth() for line in types)
    assert legend_of(axes) == ["all types", "single cell types (2)"]


def test_the_largest_deviations_are_given():
    text = text_of(hpvade.pl.calibration(COVERAGE))
    assert text == ["all types: −2.0 points at 90%", "T-cell: −9.0 points at 50%"]


def test_either_may_be_absent_and_values_may_be_missing():
    alone = hpvade.pl.calibration(COVERAGE[["all types"]])
    assert legend_of(alone) == ["all types"]
    assert len(text_of(alone)) == 1
    types = hpvade.pl.calibration(COVERAGE[["B"]].assign(C=np.nan))
    assert legend_of(types) == ["B"]
    holes = hpvade.pl.calibration(COVERAGE.where(COVERAGE != 0.41))
    assert text_of(holes)[1] == "T-cell: +7.0 points at 90%"


@pytest.mark.parametrize(
    ("coverage", "message"),
    [
        (COVERAGE.set_axis([90, 50]), "The index of coverage must contain values from 0 to 1.*by 100"),
        (COVERAGE.set_axis(["a", "b"]), "The index of coverage"),
        (COVERAGE * 100, "The table of coverage"),
        (COVERAGE * np.nan, "The table of coverage"),
        (COVERAGE.iloc[:0], "coverage is empty"),
        (COVERAGE.set_axis([0.9, 0.9]), "'0.9' more than once"),
    ],
)
def test_bad_input(coverage, message):
    with pytest.raises(InputError, match=message):
        hpvade.pl.calibration(coverage)
