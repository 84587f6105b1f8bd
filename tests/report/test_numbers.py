"""Numbers of the page: one style in Python and in the scripts."""

from __future__ import annotations

import re

import pytest

from hpvade.report._numbers import count, percent, percentage_points, table_cell


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (999, "999"),
        (1234.5678, "1,234.568"),
        (0.1, "0.100"),
        (-0.0125, "\N{MINUS SIGN}0.013"),
        (0.0, "0.000"),
        (0.001, "0.001"),
        (2e-4, "<0.001"),
        (-2e-4, ">\N{MINUS SIGN}0.001"),
        (float("nan"), "\N{EN DASH}"),
        ("cpm", "cpm"),
    ],
)
def test_table_cells(value, text):
    assert table_cell(value) == text


def test_percentages_have_the_decimals_that_are_asked_for():
    assert percent(0.9) == "90%"
    assert percent(0.1234, decimals=1) == "12.3%"


def test_percentage_points_have_a_decimal_below_10():
    assert percentage_points(0.0471) == "4.7 percentage points"
    assert percentage_points(0.0999) == "10 percentage points"
    assert percentage_points(0.154) == "15 percentage points"


def test_counts_agree_with_their_noun():
    assert count(1, "sample") == "1 sample"
    assert count(0, "sample") == "0 samples"
    assert count(12000, "cell") == "12,000 cells"


def test_no_number_of_the_page_is_in_scientific_notation(written):
    html = (written / "report.html").read_text(encoding="utf-8")
    cells = re.findall(r'<td class="number"[^>]*>([^<]*)</td>', html)
    assert len(cells) > 30
    number = re.compile("(&lt;|&gt;)?\N{MINUS SIGN}?[0-9]{1,3}(,[0-9]{3})*([.][0-9]{3})?|\N{EN DASH}")
    assert [cell for cell in cells if not number.fullmatch(cell)] == []
