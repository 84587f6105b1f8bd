"""Decimal marks and thousands separators, as spreadsheets in several languages write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import FileFormatError
from hpvade._warnings import DataWarning
from hpvade.io import read_bulk

SAMPLES = ["s1", "s2", "s3"]
SEVERAL_NOTES = pytest.mark.filterwarnings("ignore::hpvade._warnings.DataWarning")


@pytest.fixture
def counts():
    """Counts from 0 to millions; most are below one thousand."""
    rng = np.random.default_rng(0)
    values = np.round(rng.lognormal(4, 3, (300, 3))).astype(int)
    return pd.DataFrame(values, index=["ACTB", "CD3E", *(f"G{i}" for i in range(298))], columns=SAMPLES)


def english(value, decimals=0):
    return f"{value:,.{decimals}f}"


def german(value, decimals=0):
    return english(value, decimals).translate(str.maketrans(",.", ".,"))


def write(text_file, table, sep="\t"):
    return text_file(table.to_csv(sep=sep, index_label="gene"))


def check(path, expected, **options):
    bulk = read_bulk(path, **options)
    np.testing.assert_allclose(bulk.to_df().T.loc[expected.index, expected.columns], expected, rtol=1e-12)
    return bulk


@pytest.mark.parametrize("sep", ["\t", ";", ","])
@pytest.mark.parametrize(
    "written",
    [
        english,
        german,
        lambda value: english(value).replace(",", "\u00a0"),
        lambda value: english(value).replace(",", "'"),
        lambda value: english(value).replace(",", "\u202f"),
    ],
    ids=["1,046", "1.046", "1 046", "1'046", "1 046 (narrow)"],
)
def test_whole_numbers_with_separated_thousands(text_file, counts, written, sep):
    path = write(text_file, counts.map(written), sep)
    with pytest.warns(
        DataWarning, match=r"thousands separators, which were removed: '\d+\D\d{3}.*' was read as"
    ):
        bulk = check(path, counts)
    assert bulk.uns["hpvade"]["unit"] == "counts"


@SEVERAL_NOTES
def test_separated_thousands_in_either_orientation(text_file, counts):
    with pytest.warns(DataWarning, match="thousands separators"):
        check(text_file(counts.T.map(english).to_csv(index_label="sample")), counts)


@pytest.mark.parametrize(("written", "sep"), [(english, "\t"), (english, ","), (german, ";"), (german, "\t")])
def test_both_marks_in_one_number(text_file, counts, written, sep):
    table = counts + 0.25
    with pytest.warns(DataWarning, match="thousands separators"):
        check(write(text_file, table.map(written, decimals=2), sep), table, unit="tpm")


@pytest.mark.parametrize("written", [english, german])
@pytest.mark.parametrize("part", [2**25, 60])
def test_only_late_rows_have_thousands(text_file, counts, written, part, monkeypatch):
    monkeypatch.setattr("hpvade.io.bulk._tables._IN_MEMORY", part)
    monkeypatch.setattr("hpvade.io.bulk._tables._IN_MEMORY_AS_TEXT", part, raising=False)
    table = counts.iloc[counts.max(axis=1).to_numpy().argsort(kind="stable")]
    assert table.iloc[:150].to_numpy().max() < 1000
    with pytest.warns(DataWarning, match="thousands separators"):
        check(write(text_file, table.map(written)), table)


@SEVERAL_NOTES
def test_a_column_of_lengths_does_not_decide(text_file, counts):
    table = counts.map(english)
    table.insert(0, "Length", 1234)
    with pytest.warns(DataWarning, match="thousands separators"):
        check(write(text_file, table), counts)


@pytest.mark.parametrize("mark", [".", ","])
def test_three_decimals_and_leading_zeros_are_decimals(text_file, mark):
    values = np.random.default_rng(0).gamma(0.4, 20, (300, 3)).round(3)
    table = pd.DataFrame(values, index=["ACTB", *(f"G{i}" for i in range(299))], columns=SAMPLES)
    check(write(text_file, table.map(lambda value: f"{value:.3f}".replace(".", mark))), table, unit="tpm")


@SEVERAL_NOTES
def test_logarithms_with_three_decimals_have_a_decimal_comma(text_file):
    values = np.random.default_rng(0).uniform(3, 15, (300, 3)).round(3)
    table = pd.DataFrame(values, index=["ACTB", *(f"G{i}" for i in range(299))], columns=SAMPLES)
    path = write(text_file, table.map(lambda value: f"{value:.3f}".replace(".", ",")))
    with pytest.warns(DataWarning, match="read with a decimal comma, as .* because all have three decimals"):
        check(path, table, unit="tpm")


def test_a_decimal_point_with_three_decimals_is_not_doubted(text_file):
    table = pd.DataFrame({"s1": [5.125, 77.25], "s2": [8.5, 99.375]}, index=["ACTB", "CD3E"])
    check(write(text_file, table.map(lambda value: f"{value:.3f}")), table)


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        (["1,351", "12,046", "2,222", "5,100"], "'1,351' can be read in two ways, as 1.351 or as 1351"),
        (["1,351", "1234", "56", "7"], "'1,351' beside '1234' can be read in two ways"),
        (["1,351", "1.351", "56", "7"], r"'1.351' beside '1,351' can be read in two ways"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(text_file, numbers, found):
    table = pd.DataFrame({"s1": numbers[:2], "s2": numbers[2:]}, index=["ACTB", "CD3E"])
    with pytest.raises(FileFormatError, match=f"{found}.*Export the table with a decimal point"):
        read_bulk(write(text_file, table))


def test_a_typing_error_is_no_separator(text_file):
    table = pd.DataFrame({"s1": ["12.25", "3.5"], "s2": ["1,5", "4.25"]}, index=["ACTB", "CD3E"])
    with pytest.raises(FileFormatError, match="'1,5' in row 'ACTB', column 's2' is not a number"):
        read_bulk(write(text_file, table))
