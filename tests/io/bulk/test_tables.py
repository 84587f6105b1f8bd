"""Delimited text: headers, separators and decimal marks, and files that are damaged."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import FileFormatError
from hpvade._warnings import DataWarning
from hpvade.io import read_bulk

GENES = ["ACTB", "CD3E", "CD19", "LYZ"]
VALUES = pd.DataFrame(
    [[800.5, 12.25, 3.5, 0.0], [650.25, 2.0, 30.5, 100.0]], index=["s1", "s2"], columns=GENES
)


def tsv(frame: pd.DataFrame, **kwargs) -> str:
    return frame.to_csv(sep=kwargs.pop("sep", "\t"), **kwargs)


def check(path, table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(read_bulk(path).to_df().T, table, check_names=False)


def test_r_style_header_is_one_field_short(text_file):
    text = "s1\ts2\n" + tsv(VALUES.T, header=False)
    pd.testing.assert_frame_equal(read_bulk(text_file(text)).to_df(), VALUES, check_names=False)


def test_byte_order_mark_quotes_and_comments(text_file):
    text = "\ufeff## made by hand\n# twice\n" + tsv(VALUES.T, quoting=1, index_label="gene")
    pd.testing.assert_frame_equal(read_bulk(text_file(text)).to_df(), VALUES, check_names=False)


def test_missing_file():
    with pytest.raises(FileFormatError, match=r"nowhere\.tsv does not exist"):
        read_bulk("nowhere.tsv")


def test_truncated_gzip(text_file):
    path = text_file(tsv(pd.DataFrame(np.random.default_rng(0).random((500, 4)))), "bulk.tsv.gz")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FileFormatError, match=r"bulk\.tsv\.gz cannot be read .*truncated"):
        read_bulk(path)


def test_corrupt_gzip(text_file):
    path = text_file(tsv(pd.DataFrame(np.random.default_rng(0).random((500, 4)))), "bulk.tsv.gz")
    content = bytearray(path.read_bytes())
    content[100:140] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"bulk\.tsv\.gz cannot be read"):
        read_bulk(path)


def test_truncated_text(text_file):
    with pytest.raises(FileFormatError, match="truncated: its last line has fewer columns"):
        read_bulk(text_file(tsv(VALUES.T)[:-8]))


@pytest.mark.parametrize("text", ["", "\n", "gene\n", "gene\ts1\n", "only one column\nof text\n"])
def test_no_table(text_file, text):
    with pytest.raises(FileFormatError, match=r"bulk\.tsv"):
        read_bulk(text_file(text))


def test_text_where_a_number_should_be(text_file):
    with pytest.raises(FileFormatError, match="'12,25' in row 'CD3E', column 's1' is not a number"):
        read_bulk(text_file(tsv(VALUES.T).replace("12.25", "12,25")))


def test_a_decimal_comma_is_read(tmp_path):
    table = pd.DataFrame({"a": [1.5, 0, 1e6], "b": [2, 3.25, 700]}, index=["G1", "G2", "G3"])
    for separator in (";", "\t"):
        table.to_csv(tmp_path / "german", sep=separator, decimal=",")
        read = read_bulk(tmp_path / "german", genes=["G1", "G2", "G3"], unit="tpm")
        np.testing.assert_allclose(read.to_df().T, table)


HEADINGS = [
    "gene",
    "Gene ID",
    "hgnc_symbol",
    "GeneSymbol",
    "Name",
    "Unnamed: 0",
    "",
    "ID_REF",
    "probe.set",
    "ensembl_gene_id_version",
]


@pytest.mark.parametrize("heading", HEADINGS)
@pytest.mark.parametrize("names", [["1", "2"], ["1001", "1002"]])
def test_samples_named_by_numbers(text_file, heading, names):
    table = VALUES.T.set_axis(names, axis=1)
    check(text_file(tsv(table, index_label=heading)), table)


@pytest.mark.parametrize("sep", ["\t", ",", ";", " "])
def test_a_table_without_a_header_keeps_its_first_gene(text_file, sep):
    path = text_file(tsv(VALUES.T, sep=sep, header=False), "patients.txt")
    with pytest.warns(
        DataWarning, match="no header: its first line has numbers like those below it. Samples were"
    ):
        check(path, VALUES.T.set_axis(["sample_1", "sample_2"], axis=1))


def test_one_sample_without_a_header_is_named_after_the_file(text_file):
    path = text_file(tsv(VALUES.T[["s1"]], header=False), "patient-7.tsv.gz")
    with pytest.warns(DataWarning, match="The sample was named after the file"):
        check(path, VALUES.T[["s1"]].set_axis(["patient-7"], axis=1))


@pytest.mark.parametrize(
    ("above", "said"),
    [
        ("!Series\n!x\ty\n", None),
        ("#one\n# two\n## three\n", None),
        ("\n\n", None),
        ("Table S1. Expression (TPM)\n\n", "'Table S1. Expression"),
        ("Table S1. Expression (TPM)\t\t\n\t\t\n", "'Table S1. Expression"),
    ],
)
def test_lines_above_the_header(text_file, above, said):
    path = text_file(above + tsv(VALUES.T, index_label="gene"))
    with pytest.warns(DataWarning, match=f"above the header were skipped: {said}") if said else nullcontext():
        check(path, VALUES.T)


def test_a_header_that_is_a_comment(text_file):
    check(text_file("## made by hand\n#" + tsv(VALUES.T, index_label="gene")), VALUES.T)


@pytest.mark.parametrize("sep", ["\t", ";", ","])
def test_other_separators_in_names(text_file, sep):
    table = VALUES.T.set_axis(["Patient 1, day 0; a", "Patient 2,\tday 0; b"], axis=1)
    check(text_file(tsv(table, sep=sep, index_label="gene")), table)


def test_a_line_that_is_too_long_is_named(text_file):
    lines = tsv(VALUES.T).splitlines()
    lines[3] += "\t5"
    with pytest.raises(
        FileFormatError, match=r"line 4 has 4 columns, but the table has 3. Correct that line"
    ):
        read_bulk(text_file("\n".join(lines) + "\n"))
