from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import FileFormatError
from hpvade.results import read_fractions, write_fractions, write_signature

TABLE = pd.DataFrame({"B cells": [0.25, 1 / 3], "T/NK": [0.75, 2 / 3]}, index=["001", "NA"])


def test_round_trip(tmp_path):
    write_fractions(TABLE, tmp_path / "f.tsv")
    assert (tmp_path / "f.tsv").read_text().splitlines()[0] == "sample\tB cells\tT/NK"
    back = read_fractions(tmp_path / "f.tsv")
    assert list(back.index) == ["001", "NA"]
    np.testing.assert_allclose(back.sum(axis=1), 1, atol=1e-8)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("sample\tB\na\tmuch\n", "column 'B' holds text"),
        ("sample\na\n", "no cell-type columns"),
        ("sample\tB\n", "no samples"),
        ("", "is not a tab-separated table"),
    ],
)
def test_what_is_no_table_of_fractions(tmp_path, content, words):
    (tmp_path / "f.tsv").write_text(content)
    with pytest.raises(FileFormatError, match=words):
        read_fractions(tmp_path / "f.tsv")


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(FileFormatError, match="does not exist"):
        read_fractions(tmp_path / "none.tsv")
    (tmp_path / "binary.tsv").write_bytes(bytes(range(256)))
    with pytest.raises(FileFormatError, match="is not a tab-separated table"):
        read_fractions(tmp_path / "binary.tsv")


def test_signature_gives_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_signature(TABLE * 1e6, tmp_path / folder / "signature.tsv.gz")
    one, other = ((tmp_path / folder / "signature.tsv.gz").read_bytes() for folder in ("a", "b"))
    assert one == other


def test_layout_of_r_without_a_heading_over_the_samples(tmp_path):
    (tmp_path / "r.tsv").write_text("B\tNK\n001\t0.2\t0.8\nNA\t0.3\t0.7\n")
    table = read_fractions(tmp_path / "r.tsv")
    assert list(table.columns) == ["B", "NK"]
    assert table["B"].tolist() == [0.2, 0.3]
    assert list(table.index) == ["001", "NA"]
