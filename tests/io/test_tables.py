"""Delimited text: headers, separators and decimal marks, and files that are damaged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import FileFormatError
from hpvade.io import read_bulk

GENES = ["ACTB", "CD3E", "CD19", "LYZ"]
VALUES = pd.DataFrame(
    [[800.5, 12.25, 3.5, 0.0], [650.25, 2.0, 30.5, 100.0]], index=["s1", "s2"], columns=GENES
)


def tsv(frame: pd.DataFrame, **kwargs) -> str:
    return frame.to_csv(sep=kwargs.pop("sep", "\t"), **kwargs)


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


def test_utf16_is_named(tmp_path):
    (tmp_path / "bulk.txt").write_bytes("gene\ts\nG1\t1\n".encode("utf-16"))
    with pytest.raises(FileFormatError, match=r"UTF-16 text.*Save it as UTF-8"):
        read_bulk(tmp_path / "bulk.txt")
