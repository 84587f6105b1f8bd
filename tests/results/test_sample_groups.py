"""The table of groups that a user writes."""

from __future__ import annotations

import gzip

import pytest

from hpvade._errors import FileFormatError, InputError
from hpvade._warnings import DataWarning
from hpvade.results import read_groups

SAMPLES = ["1", "NA", "c"]


def read(tmp_path, text):
    (tmp_path / "groups").write_text(text)
    return read_groups(tmp_path / "groups", samples=SAMPLES)


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_first_and_second_column(tmp_path, separator):
    text = "name\tdisease\n1\tcase\nNA\tcontrol\nc\tcase\n".replace("\t", separator)
    assert read(tmp_path, text).to_dict() == {"1": "case", "NA": "control", "c": "case"}


def test_a_column_named_group_is_taken_of_several(tmp_path):
    told = read(tmp_path, "\ufeffsample\tage\tgroup\n1\t30\tx\nNA\t40\ty\nc\t50\ty\n")
    assert list(told) == ["x", "y", "y"]


def test_samples_without_a_group_and_strangers_are_told(tmp_path):
    with pytest.warns(DataWarning) as told:
        groups = read(tmp_path, "sample\tgroup\n1\tNone\nNA\t \nc\tNA\nzzz\ty\n")
    assert groups.to_dict() == {"1": "None", "c": "NA"}  # names, as an untreated group may have
    texts = [str(warning.message) for warning in told]
    assert any("'zzz'" in text for text in texts)
    assert any("1 of 3 samples have no group" in text for text in texts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample\tage\tsex\n1\t30\tm\n", "name the one with the groups 'group'. Columns: sample, age, sex"),
        ("sample\n1\n", "their groups in the second"),
        ("sample\tgroup\n1\tx\n1\ty\n", "'1' twice"),
        ("1\tx\nNA\ty\nc\tx\n", "groups file .* has no header"),
        ("sample\tgroup\nq\tx\nr\ty\n", "lists no sample.*It has q, r.*has 1, NA, c"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_a_compressed_file_is_read(tmp_path):
    (tmp_path / "groups.tsv.gz").write_bytes(gzip.compress(b"sample;group\n1;x\nNA;y\nc;x\n"))
    assert list(read_groups(tmp_path / "groups.tsv.gz", samples=SAMPLES)) == ["x", "y", "x"]


def test_a_missing_file(tmp_path):
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_groups(tmp_path / "none", samples=SAMPLES)
