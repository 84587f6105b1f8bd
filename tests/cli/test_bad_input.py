"""Exit code 2, one clear sentence with the remedy, no output touched."""

from __future__ import annotations

import errno

import numpy as np
import pandas as pd
import pytest

import hpvade


@pytest.fixture
def table(files):
    return pd.read_csv(files.bulk, sep="\t", index_col=0)


@pytest.fixture
def refused(files, hpv, tmp_path):
    """Run on a changed reference or bulk; returns the message after checking that nothing was written."""

    def call(*, reference=None, bulk=None, options=()):
        if isinstance(bulk, pd.DataFrame):
            bulk.to_csv(tmp_path / "bulk.tsv", sep="\t")
            bulk = tmp_path / "bulk.tsv"
        if reference is not None and not hasattr(reference, "joinpath"):
            reference.write_h5ad(tmp_path / "reference.h5ad")
            reference = tmp_path / "reference.h5ad"
        before = sorted(tmp_path.iterdir())
        result = hpv(
            "run", reference or files.reference, bulk or files.bulk, "-o", tmp_path / "out",
            "--config", files.quick, "-q", *options,
        )  # fmt: skip
        assert result.code == 2, result.err
        assert sorted(tmp_path.iterdir()) == before
        assert result.out == ""
        assert result.err.startswith("Error: ")
        assert "Traceback" not in result.err
        return result.err

    return call


class TestReference:
    def test_missing_file(self, refused, tmp_path):
        assert "none.h5ad" in refused(reference=tmp_path / "none.h5ad")

    def test_truncated_file(self, refused, files, tmp_path):
        content = files.reference.read_bytes()
        (tmp_path / "cut.h5ad").write_bytes(content[: len(content) // 3])
        assert "cut.h5ad" in refused(reference=tmp_path / "cut.h5ad")

    def test_wrong_format(self, refused, files):
        assert "bulk.tsv" in refused(reference=files.bulk)

    def test_rna_content_without_a_type(self, refused, tmp_path):
        path = tmp_path / "m.tsv"
        path.write_text("cell_type\trna_content\nB\t1\n")
        assert "has no RNA content" in refused(options=("--rna-content", path))

    def test_no_such_label_column(self, refused):
        message = refused(options=("--labels-key", "celltype"))
        assert "'celltype'" in message
        assert "Did you mean 'cell_type'" in message

    def test_missing_labels(self, refused):
        cells = hpvade.testing.tiny_reference()
        labels = cells.obs["cell_type"].astype(object)
        labels.iloc[4:6] = np.nan
        cells.obs["cell_type"] = labels.astype("category")
        message = refused(reference=cells)
        assert "2" in message
        assert "cell_4" in message

    def test_one_type_only(self, refused):
        assert "one" in refused(reference=hpvade.testing.tiny_reference(cell_types=("B",))).lower()

    def test_type_with_too_few_cells(self, refused):
        cells = hpvade.testing.tiny_reference()
        message = refused(reference=cells[:85].copy())
        assert "'T'" in message
        assert "5" in message

    def test_no_counts_anywhere(self, refused):
        cells = hpvade.testing.tiny_reference()
        log = hpvade.pp.counts_to_log(cells.layers["counts"])
        del cells.layers["counts"]
        cells.X = log
        message = refused(reference=cells)
        assert "X" in message
        assert "raw" in message

    @pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
    def test_impossible_counts(self, refused, value):
        cells = hpvade.testing.tiny_reference()
        cells.X = cells.X.toarray()
        cells.X[3, 7] = value
        del cells.layers["counts"]
        message = refused(reference=cells)
        assert "cell_3" in message
        assert "GENE7" in message


class TestBulk:
    def test_missing_file(self, refused, tmp_path):
        assert "none.tsv" in refused(bulk=tmp_path / "none.tsv")

    @pytest.mark.parametrize("value", [-1.0, np.inf])
    def test_impossible_values(self, refused, table, value):
        table.iloc[5, 2] = value
        message = refused(bulk=table)
        assert "sample_3" in message
        assert table.index[5] in message

    def test_missing_value(self, refused, table):
        table.iloc[5, 2] = np.nan
        message = refused(bulk=table)
        assert "sample_3" in message
        assert table.index[5] in message

    def test_text_among_numbers(self, refused, table):
        table = table.astype(object)
        table.iloc[5, 2] = "n.d."
        message = refused(bulk=table)
        assert "n.d." in message

    def test_all_zero_and_constant_samples_are_told_together(self, refused, table):
        table["sample_2"], table["sample_4"] = 0.0, 5.0
        message = refused(bulk=table)
        assert "sample_2" in message
        assert "sample_4" in message

    def test_duplicate_samples(self, refused, table):
        assert "sample_1" in refused(bulk=table.rename(columns={"sample_2": "sample_1"}))

    def test_too_few_shared_genes(self, refused, table):
        message = refused(bulk=table.iloc[:50])
        assert "50" in message

    def test_other_kind_of_gene_ids_shows_both(self, refused, table):
        table.index = [f"ENSG{i:011d}" for i in range(50_000, 50_000 + len(table))]
        message = refused(bulk=table)
        assert "ENSG00000050000" in message
        assert "GENE" in message


@pytest.fixture(scope="module")
def expected(files):
    """The answer for the bulk table as it is."""
    out = files.folder / "plain"
    arguments = ["run", files.reference, files.bulk, "-o", out, "--config", files.quick, "-q"]
    with pytest.raises(SystemExit):
        hpvade.cli.main([str(argument) for argument in arguments])
    return pd.read_csv(out / "fractions.tsv", sep="\t", index_col=0)


class TestHandled:
    """Not refused, but told."""

    def ran(self, hpv, files, tmp_path, bulk):
        bulk.to_csv(tmp_path / "bulk.tsv", sep="\t")
        arguments = (files.reference, tmp_path / "bulk.tsv", "-o", tmp_path / "out", "--config", files.quick)
        result = hpv("run", *arguments)
        assert result.code == 0, result.err
        return result.err, pd.read_csv(tmp_path / "out" / "fractions.tsv", sep="\t", index_col=0)

    def test_samples_by_genes(self, hpv, files, tmp_path, table, expected):
        _, fractions = self.ran(hpv, files, tmp_path, table.T)
        pd.testing.assert_frame_equal(fractions, expected, atol=1e-6)

    def test_ensembl_ids_with_versions(self, hpv, files, tmp_path, table, expected):
        table.index = [f"ENSG{int(name[4:]):011d}.12" for name in table.index]
        _, fractions = self.ran(hpv, files, tmp_path, table)
        pd.testing.assert_frame_equal(fractions, expected, atol=1e-6)

    def test_duplicate_genes_are_summed(self, hpv, files, tmp_path, table, expected):
        halves = pd.concat([table / 2, table / 2])
        said, fractions = self.ran(hpv, files, tmp_path, halves)
        assert "summed" in said
        pd.testing.assert_frame_equal(fractions, expected, atol=1e-6)

    def test_logged_bulk_is_undone(self, hpv, files, tmp_path, table):
        said, fractions = self.ran(hpv, files, tmp_path, np.log2(table + 1))
        assert "log" in said
        # Without a zero in the table nothing tells log2(x + 1) from log2(x): one CPM of difference, which the
        # fit of an exact mixture, without residuals, turns into up to 0.005.
        (tmp_path / "linear").mkdir()
        _, linear = self.ran(hpv, files, tmp_path / "linear", table + 1)
        pd.testing.assert_frame_equal(fractions, linear, atol=1e-6)


class TestOutput:
    def test_existing_output_is_kept(self, hpv, files, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "run.json").write_text("mine")
        result = hpv("run", files.reference, files.bulk, "-o", tmp_path / "out", "-q")
        assert result.code == 2
        assert "--force" in result.err
        assert (tmp_path / "out" / "run.json").read_text() == "mine"

    def test_an_output_is_added_to_other_files_of_a_folder(self, hpv, files, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "precious.txt").write_text("mine")
        arguments = (
            "run",
            files.reference,
            files.bulk,
            "-o",
            tmp_path / "out",
            "-q",
            "--config",
            files.quick,
        )
        assert hpv(*arguments).code == 0
        assert (tmp_path / "out" / "fractions.tsv").exists()
        assert (tmp_path / "out" / "precious.txt").read_text() == "mine"
        assert not [entry.name for entry in (tmp_path / "out").iterdir() if entry.name.startswith(".")]

    def test_force_replaces_only_what_hpvade_wrote(self, hpv, files, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "qc.tsv").write_text("old")
        (tmp_path / "out" / "precious.txt").write_text("mine")
        arguments = ("run", files.reference, files.bulk, "-o", tmp_path / "out", "-q", "--force")
        assert hpv(*arguments, "--config", files.quick).code == 2
        (tmp_path / "out" / "precious.txt").rename(tmp_path / "out" / "run.json")
        assert hpv(*arguments, "--config", files.quick).code == 0
        assert (tmp_path / "out" / "fractions.tsv").exists()

    @pytest.mark.parametrize(
        ("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "permission denied")]
    )
    def test_full_disk_or_no_permission_leaves_nothing(
        self, hpv, files, tmp_path, monkeypatch, number, words
    ):
        def refuse(*_args, **_kwargs):
            raise OSError(number, "no")

        monkeypatch.setattr("hpvade.jobs._deconvolve.write_deconvolution", refuse)
        result = hpv(
            "run", files.reference, files.bulk, "-o", tmp_path / "out", "-q", "--config", files.quick
        )
        assert result.code == 2
        assert words in result.err
        assert list(tmp_path.iterdir()) == []

    def test_place_below_a_file(self, hpv, files, tmp_path):
        result = hpv("run", files.reference, files.bulk, "-o", files.truth / "out", "-q")
        assert result.code == 2
        assert "is a file" in result.err


class TestUsage:
    def test_one_path_only(self, hpv, files, tmp_path):
        result = hpv("run", files.reference, "-o", tmp_path / "out")
        assert result.code == 2
        assert "at least one reference" in result.err

    def test_unknown_name_in_the_settings_file(self, hpv, files, tmp_path):
        (tmp_path / "c.yaml").write_text("labels-kee: x\n")
        result = hpv(
            "run", files.reference, files.bulk, "-o", tmp_path / "out", "--config", tmp_path / "c.yaml"
        )
        assert result.code == 2
        assert "Did you mean 'labels-key'" in result.err

    def test_settings_file_that_is_no_yaml(self, hpv, files, tmp_path):
        (tmp_path / "c.yaml").write_text("a: [1\n")
        result = hpv(
            "run", files.reference, files.bulk, "-o", tmp_path / "out", "--config", tmp_path / "c.yaml"
        )
        assert result.code == 2
        assert "cannot be read" in result.err

    def test_setting_out_of_range(self, hpv, files, tmp_path):
        (tmp_path / "c.yaml").write_text("network: {members: 0}\n")
        result = hpv(
            "run", files.reference, files.bulk, "-o", tmp_path / "out", "--config", tmp_path / "c.yaml"
        )
        assert result.code == 2
        assert "network.members" in result.err

    def test_truth_without_common_types(self, hpv, files, tmp_path):
        (tmp_path / "f.tsv").write_text("sample\tX\tY\na\t0.5\t0.5\nb\t0.1\t0.9\n")
        result = hpv("evaluate", tmp_path / "f.tsv", files.truth)
        assert result.code == 2
        assert result.err.startswith("Error")

    def test_model_that_is_none(self, hpv, files, tmp_path):
        result = hpv("deconvolve", tmp_path, files.bulk, "-o", tmp_path / "out")
        assert result.code == 2
        assert "is not a model" in result.err

    def test_simulate_from_an_unprepared_reference(self, hpv, files, tmp_path):
        result = hpv("simulate", files.reference, "-o", tmp_path / "m.h5ad")
        assert result.code == 2
        assert "has not been prepared" in result.err

    @pytest.mark.parametrize(
        "content",
        ["train: 5", "train: [1, 2]", "train:", "network: {hidden: [0]}", "simulate: {depth: [0, 100]}",
         "simulate: {prior: {B: -5}}", "train: {learning_rate: .inf}", "simulate: {n_heldout: 1}"],
    )  # fmt: skip
    def test_settings_that_cannot_be(self, hpv, files, tmp_path, content):
        (tmp_path / "c.yaml").write_text(content)
        out = tmp_path / "out"
        result = hpv("run", files.reference, files.bulk, "-o", out, "--config", tmp_path / "c.yaml")
        assert result.code == 2, result.err
        assert not out.exists()

    @pytest.mark.parametrize("options", [("--devices", "0"), ("--devices", "abc"), ("--accelerator", "foo")])
    def test_hardware_that_is_not_there(self, hpv, files, tmp_path, options):
        arguments = ("-o", tmp_path / "out", "--config", files.quick, *options)
        result = hpv("run", files.reference, files.bulk, *arguments)
        assert result.code == 2
        assert "--accelerator auto" in result.err

    @pytest.mark.parametrize("content", ["[1, 2]", "5", '{"B": [1]}', "{}", "no json"])
    def test_map_of_another_form(self, hpv, files, tmp_path, content):
        (tmp_path / "map.json").write_text(content)
        result = hpv("evaluate", files.truth, files.truth, "--map", tmp_path / "map.json")
        assert result.code == 2
        assert "map.json cannot be read" in result.err

    def test_donor_column_that_no_reference_has(self, hpv, files, tmp_path):
        hpvade.testing.tiny_reference(n_genes=200).write_h5ad(tmp_path / "other.h5ad")
        inputs = (files.reference, tmp_path / "other.h5ad", files.bulk)
        result = hpv("run", *inputs, "-o", tmp_path / "out", "--donor-key", "donr")
        assert result.code == 2
        assert "Did you mean 'donor'" in result.err

    def test_output_that_holds_the_model(self, hpv, files, tmp_path):
        (tmp_path / "out" / "model").mkdir(parents=True)
        result = hpv("deconvolve", tmp_path / "out", files.bulk, "-o", tmp_path / "out", "--force")
        assert result.code == 2
        assert (tmp_path / "out" / "model").exists()


class TestNames:
    """Names are names, whatever they look like."""

    def test_samples_named_like_missing_values_and_numbers(self, hpv, files, tmp_path, table):
        table.columns = ["NA", "001", "None", "nan", "1e5", "null"]
        table.T.to_csv(tmp_path / "bulk.csv")
        arguments = ("-o", tmp_path / "out", "--config", files.quick)
        assert hpv("run", files.reference, tmp_path / "bulk.csv", *arguments).code == 0
        fractions = hpvade.results.read_fractions(tmp_path / "out" / "fractions.tsv")
        assert list(fractions.index) == list(table.columns)

    def test_types_named_twice_are_seen(self, hpv, files, tmp_path):
        (tmp_path / "f.tsv").write_text("sample\tB\tB\n001\t0.5\t0.5\n002\t0.1\t0.9\n")
        result = hpv("evaluate", tmp_path / "f.tsv", tmp_path / "f.tsv")
        assert result.code == 2
        assert "B" in result.err

    def test_truth_in_percent_is_told(self, hpv, files, tmp_path):
        truth = hpvade.results.read_fractions(files.truth)
        hpvade.results.write_fractions(100 * truth, tmp_path / "percent.tsv")
        assert "percent" in hpv("evaluate", files.truth, tmp_path / "percent.tsv").err
