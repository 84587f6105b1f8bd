"""The files that hpvade writes into an output folder."""

from __future__ import annotations

import pytest

from hpvade._errors import OutputError
from hpvade.io import output_dir
from hpvade.results import own_files


def test_only_complete_levels_of_fractions_are_own_files(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("fractions_coarse", "fractions_coarse_lower", "fractions_coarse_upper", "fractions_mine"):
        (folder / f"{name}.tsv").touch()
    with (
        pytest.raises(OutputError, match="fractions_mine"),
        output_dir(folder, own_files=own_files, force=True),
    ):
        pass
    (folder / "fractions_mine.tsv").unlink()
    with output_dir(folder, own_files=own_files, force=True):
        pass
    assert list(folder.iterdir()) == []


def test_files_of_others_are_not_own_files():
    assert own_files({"run.json", "model", "qc.tsv", "thesis.tex"}) == {"run.json", "model", "qc.tsv"}
