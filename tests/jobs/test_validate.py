from __future__ import annotations

import pytest

import hpvade
from hpvade._errors import FileFormatError, GeneOverlapError
from hpvade.jobs import validate_demo, validate_for_model


@pytest.fixture
def saved(reference, tmp_path):
    """A model that was not trained, and a table of the same genes."""
    hpvade.HPVADE(reference, preset="fast").save(tmp_path / "model")
    hpvade.testing.tiny_bulk(reference).to_df().T.to_csv(tmp_path / "bulk.tsv", sep="\t")
    return tmp_path / "model", tmp_path / "bulk.tsv"


def test_a_model_and_a_table_that_fit(saved):
    report = validate_for_model(*saved)
    assert report.facts["model_cell_types"] == "B, Monocyte, T"
    assert report.facts["n_samples"] == 6
    assert report.facts["shared_genes"] == report.facts["model_genes"]
    assert [problem.message for problem in report.errors] == [
        "The model was saved before it was trained. Train it, or give another."
    ]


def test_what_is_wrong_with_either_is_told_at_once(saved, tmp_path):
    (tmp_path / "other.tsv").write_text(
        "gene\ts1\ts2\n" + "".join(f"X{i}\t{i}\t{300 - i}\n" for i in range(300))
    )
    report = validate_for_model(saved[0], tmp_path / "other.tsv")
    assert GeneOverlapError in [problem.kind for problem in report.errors]
    report = validate_for_model(tmp_path / "nowhere", tmp_path / "nothing.tsv")
    assert [problem.kind for problem in report.errors] == [FileFormatError] * 2


def test_the_demo_data_can_be_used():
    report = validate_demo(seed=0)
    assert report.ok
    assert report.facts["n_samples"] == 100
    assert sum(report.facts["cell_types"].values()) == report.facts["n_cells"]
