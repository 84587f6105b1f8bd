"""Results from memory and from an output folder."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import FileFormatError, InputError
from hpvade.results import ResultTables, own_files, read_results, write_deconvolution


def test_tables_are_those_of_the_files(written):
    results = read_results(written)
    stored = pd.read_csv(written / "fractions.tsv", sep="\t", index_col=0)
    pd.testing.assert_frame_equal(results.fractions, stored, check_names=False)
    assert [table.name for table in results.tables] == ["Cell fractions", "RNA fractions"]
    lower, upper = (
        pd.read_csv(written / f"fractions_{side}.tsv", sep="\t", index_col=0) for side in ("lower", "upper")
    )
    np.testing.assert_allclose(results.half_widths, (upper - lower) / 2)
    assert results.trained is not None
    assert len(results.history) == 2
    assert sorted(results.groups.unique()) == ["<i>old</i>", "young"]


def test_tables_from_memory_are_those_of_the_files(trained, tmp_path):
    model, bulk = trained
    answer = model.deconvolve(bulk.copy())
    write_deconvolution(answer, tmp_path)
    memory, files = ResultTables.from_deconvolution(answer), ResultTables.read(tmp_path)
    for one, other in zip(memory.tables, files.tables, strict=True):
        assert one.name == other.name
        for a, b in zip(one[1:], other[1:], strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                pd.testing.assert_frame_equal(a, b, check_names=False)
    pd.testing.assert_frame_equal(memory.qc, files.qc, check_names=False)


def test_files_of_a_level_are_recognised_with_their_bounds_only():
    level = {f"fractions_lineage{side}.tsv" for side in ("", "_lower", "_upper")}
    assert own_files({*level, "run.json", "thesis.docx"}) == {*level, "run.json"}
    assert own_files({"fractions_lineage.tsv", "run.json"}) == {"run.json"}


def test_unknown_content_is_no_cell_type(results_folder):
    for name in ("fractions", "fractions_lower", "fractions_upper"):
        table = pd.read_csv(results_folder / f"{name}.tsv", sep="\t", index_col=0)
        table.assign(unknown=0.5).to_csv(results_folder / f"{name}.tsv", sep="\t")
    assert "unknown" in read_results(results_folder).known  # a type that is called so
    record = json.loads((results_folder / "run.json").read_text())
    record["decisions"]["with_unknown"] = True
    (results_folder / "run.json").write_text(json.dumps(record))
    results = read_results(results_folder)
    assert "unknown" in results.fractions
    assert "unknown" not in results.known
    assert "unknown" not in results.known_half_widths


def test_flags_become_lists(results_folder):
    qc = pd.read_csv(results_folder / "qc.tsv", sep="\t", dtype=str, keep_default_na=False)
    qc["flags"] = ["poor_fit;flat"] + [""] * (len(qc) - 1)
    qc["unknown"] = ""
    qc.to_csv(results_folder / "qc.tsv", sep="\t", index=False)
    qc = read_results(results_folder).qc
    assert qc["flags"].iloc[0] == ["poor_fit", "flat"]
    assert qc["flags"].iloc[1] == []
    assert qc["unknown"].isna().all()


def test_levels_stand_between_types_and_rna(results_folder):
    for side in ("", "_lower", "_upper"):
        shutil.copy(results_folder / f"fractions{side}.tsv", results_folder / f"fractions_lineage{side}.tsv")
    names = [table.name for table in read_results(results_folder).tables]
    assert names == ["Cell fractions", "Cell fractions, lineage", "RNA fractions"]


class TestModel:
    def test_is_found_where_the_answer_came_from(self, answered):
        results = read_results(answered)
        assert results.trained is not None
        assert len(results.history) == 2

    def test_is_not_needed(self, answered):
        shutil.rmtree(answered.parent / "trained")
        results = read_results(answered)
        assert results.trained is None
        assert results.history.empty

    def test_moved_is_found_when_named(self, answered):
        (answered.parent / "trained").rename(answered.parent / "moved")
        assert read_results(answered).trained is None
        assert read_results(answered, model=answered.parent / "moved").trained is not None

    def test_that_is_another_is_not_taken(self, answered):
        config = answered.parent / "trained" / "model" / "config.json"
        config.write_text(config.read_text() + "\n")
        assert read_results(answered).trained is None
        assert "did not produce these results" in read_results(answered).no_model
        with pytest.raises(InputError, match="not the model that produced these results"):
            read_results(answered, model=answered.parent / "trained")

    def test_given_beside_one_that_is_there_must_be_the_same(self, written, answered, tmp_path):
        assert read_results(written, model=answered.parent / "trained").trained is not None
        with pytest.raises(FileFormatError, match="not a model"):
            read_results(written, model=tmp_path)

    def test_of_an_earlier_version_costs_only_its_parts(self, results_folder):
        config = json.loads((results_folder / "model" / "config.json").read_text())
        (results_folder / "model" / "config.json").write_text(json.dumps(config | {"format_version": 1}))
        results = read_results(results_folder)
        assert results.trained is None
        assert "earlier version of hpvade (model format 1" in results.no_model

    def test_history_of_something_else_is_not_shown(self, results_folder):
        (results_folder / "history.csv").write_text("year,population\n1900,3\n")
        assert read_results(results_folder).history.empty


@pytest.mark.parametrize("name", ["fractions.tsv", "run.json", "qc.tsv", "rna_fractions.tsv"])
def test_a_missing_file_is_named(results_folder, name):
    (results_folder / name).unlink()
    with pytest.raises(FileFormatError, match=name):
        read_results(results_folder)


def test_samples_that_differ_are_reported(results_folder):
    lines = (results_folder / "qc.tsv").read_text().splitlines()
    (results_folder / "qc.tsv").write_text("\n".join([lines[0], *lines[2:]]) + "\n")
    with pytest.raises(FileFormatError, match="different samples"):
        read_results(results_folder)


def test_a_damaged_record_is_reported(results_folder):
    record = json.dumps(json.loads((results_folder / "run.json").read_text()))
    (results_folder / "run.json").write_text(record[:-10])
    with pytest.raises(FileFormatError, match=r"run\.json"):
        read_results(results_folder)


@pytest.mark.parametrize("absent", ["started", "coverage"])
def test_results_of_an_earlier_version_are_refused(results_folder, absent):
    record = json.loads((results_folder / "run.json").read_text())
    record.pop(absent, record["decisions"].pop(absent, None))
    (results_folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(FileFormatError, match=f"lacks '{absent}': it was written by an earlier version"):
        read_results(results_folder)
