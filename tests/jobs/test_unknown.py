"""What a user knows of the content that the reference lacks."""

from __future__ import annotations

import pandas as pd
import pytest

from hpvade._errors import FileFormatError, InputError
from hpvade.jobs._unknown import load_world, read_purity

SAMPLES = ["a", "b", "c"]


def test_the_world_can_be_chosen(tmp_path):
    path = tmp_path / "mine.tsv"
    pd.DataFrame({"one": [1, 2], "two": [3, 4]}, index=["A", "B"]).to_csv(path, sep="\t")
    assert list(load_world(str(path)).facts.index) == ["one", "two"]
    assert len(load_world("none").facts) == 0
    assert load_world(None) is None  # the shipped ones
    with pytest.raises(InputError, match=r"lost\.tsv does not exist.*'none'"):
        load_world(str(tmp_path / "lost.tsv"))


def test_purity_of_some_samples_is_enough(tmp_path):
    path = tmp_path / "purity.csv"
    path.write_text("sample,share\nb,0.25\na,0\nc,NA\n")
    assert read_purity(path, samples=SAMPLES).to_dict() == {"b": 0.25, "a": 0}


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("sample,share\na,1\n", InputError, "sample 'a' is 1. It must be at least 0 and below 1"),
        ("sample,share\na,-0.1\n", InputError, "sample 'a' is -0.1"),
        ("sample,share\na,0.1\na,0.2\n", InputError, "'a' is listed twice"),
        (
            "sample,share\na,0.1\nx,0.2\n",
            InputError,
            "1 of 2 samples .* not in the bulk table, for example 'x'",
        ),
        ("sample,share\na,0;6\n", FileFormatError, "sample 'a' in .* is '0;6', which is not a number"),
        ("sample\na\n", FileFormatError, "cannot be read"),
        ("sample,share\na,40\n", InputError, "is 40.*Divide percentages by 100"),
        ("a,0.4\nb,0.5\n", FileFormatError, "has no header: its first line is a sample"),
        ("sample,share\n", FileFormatError, "lists no share"),
    ],
)
def test_other_tables_of_purity_are_refused(tmp_path, text, kind, message):
    path = tmp_path / "purity.csv"
    path.write_text(text)
    with pytest.raises(kind, match=message):
        read_purity(path, samples=SAMPLES)
