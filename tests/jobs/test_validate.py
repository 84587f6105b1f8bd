from __future__ import annotations

import pytest

from hpvade._errors import FileFormatError, GeneOverlapError
from hpvade.jobs import validate_demo, validate_for_model


@pytest.fixture
def saved(trained, tmp_path):
    """A trained model, and a table of the same genes."""
    model, bulk = trained
    model.save(tmp_path / "model")
    bulk.to_df().T.to_csv(tmp_path / "bulk.tsv", sep="\t")
    return tmp_path / "model", tmp_path / "bulk.tsv"


def test_a_model_and_a_table_that_fit(saved):
    report = validate_for_model(*saved)
    assert report.facts["model_cell_types"] == "B, Monocyte, T"
    assert report.facts["n_samples"] == 6
    assert report.facts["shared_genes"] == report.facts["model_genes"]
    assert report.ok


def test_errors_of_both_are_reported_at_once(saved, tmp_path):
    (tmp_path / "other.tsv").write_text(
        "gene\ts1\ts2\n" + "".join(f"X{i}\t{i}\t{300 - i}\n" for i in range(300))
    )
    report = validate_for_model(saved[0], tmp_path / "other.tsv")
    assert GeneOverlapError in [problem.kind for problem in report.errors]
    report = validate_for_model(tmp_path / "nowhere", tmp_path / "nothing.tsv")
    assert [problem.kind for problem in report.errors] == [FileFormatError] * 2


def test_every_problem_of_a_table_counts(saved, tmp_path):
    (tmp_path / "bad.tsv").write_text(
        "gene\ts1\ts2\n" + "".join(f"G{i}\t-1\t\n" for i in range(50)) + "G50\t3\tnan\n"
    )
    report = validate_for_model(saved[0], tmp_path / "bad.tsv")
    (problem,) = report.errors
    assert problem.message.count("\n") == problem.n
    assert report.to_text().endswith(f"{problem.n} problems to fix.")


def test_the_demo_data_can_be_used():
    report = validate_demo(seed=0)
    assert report.ok
    assert report.facts["n_samples"] == 100
    assert sum(report.facts["cell_types"].values()) == report.facts["n_cells"]
