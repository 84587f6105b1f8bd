from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import anndata
import numpy as np
import pandas as pd
import pytest
import typer

import hpvade
from hpvade.cli import app

HISTORY = [
    "epoch", "train_loss", "val_loss",
    "train_loss_recon", "train_loss_kl", "train_loss_proto", "train_loss_prop", "train_loss_bulk_recon",
    "val_loss_recon", "val_loss_kl", "val_loss_proto", "val_loss_prop", "val_loss_bulk_recon", "val_r_type",
]  # fmt: skip


@pytest.fixture(scope="module")
def ran(files):
    """One ``hpvade run``, in a process of its own."""
    out = files.folder / "ran"
    command = [sys.executable, "-m", "hpvade", "run", files.reference, files.bulk, "-o", out]
    done = subprocess.run(
        [*map(str, command), "--config", str(files.quick)], check=True, capture_output=True, text=True
    )
    return out, done


class TestRun:
    def test_files_of_the_contract(self, ran):
        out, _ = ran
        assert {path.name for path in out.iterdir()} == {
            "fractions.tsv", "fractions_lower.tsv", "fractions_upper.tsv", "rna_fractions.tsv", "qc.tsv",
            "signature.tsv.gz", "history.csv", "model", "run.json", "report.html",
            "hpvade_fractions_mqc.json", "hpvade_quality_mqc.json",
        }  # fmt: skip
        fractions = pd.read_csv(out / "fractions.tsv", sep="\t")
        assert list(fractions.columns) == ["sample", "B", "Monocyte", "T"]
        np.testing.assert_allclose(fractions.iloc[:, 1:].sum(1), 1, atol=1e-6)
        qc = pd.read_csv(out / "qc.tsv", sep="\t")
        assert list(qc.columns) == [
            "sample", "genes_used", "gene_overlap", "unit_detected", "reconstruction_r",
            "residual_sd", "unknown", "unknown_lower", "unknown_upper", "unknown_like",
            "unknown_like_share", "unknown_genes", "flags",
        ]  # fmt: skip
        assert list(pd.read_csv(out / "history.csv").columns) == HISTORY
        signature = pd.read_csv(out / "signature.tsv.gz", sep="\t", index_col=0)
        np.testing.assert_allclose(signature.sum(), 1e6, rtol=1e-4)

    def test_record(self, ran, files):
        record = json.loads((ran[0] / "run.json").read_text())
        assert record["seed"] == 0
        assert record["inputs_sha256"][str(files.bulk)] == hpvade.io.sha256(files.bulk)
        assert record["decisions"]["bulk"]["unit"] == "tpm/cpm"
        assert set(record["seconds"]) == {"read", "checksums", "prepare", "train", "deconvolve", "report"}
        assert record["peak_memory_mb"] > 100

    def test_plain_lines_with_both_losses_when_not_a_terminal(self, ran):
        lines = [line for line in ran[1].stderr.splitlines() if line.startswith("epoch")]
        assert len(lines) == 2
        assert all(name in lines[0] for name in ("train_loss", "val_loss", "val_r_type"))

    def test_same_seed_same_bytes(self, ran, files, hpv):
        again = files.folder / "again"
        arguments = (files.reference, files.bulk, "--config", files.quick)
        assert hpv("run", *arguments, "-o", again, "--quiet").code == 0
        assert (again / "fractions.tsv").read_bytes() == (ran[0] / "fractions.tsv").read_bytes()

    def test_model_applied_to_the_same_bulk_gives_the_same_bytes(self, ran, files, hpv):
        result = hpv("deconvolve", ran[0], files.bulk, "-o", files.folder / "applied", "--json")
        assert result.code == 0
        ours, first = files.folder / "applied" / "fractions.tsv", ran[0] / "fractions.tsv"
        assert ours.read_bytes() == first.read_bytes()
        shown = json.loads(result.out)
        assert shown["sample_1"].keys() == {"B", "Monocyte", "T"}

    def test_genes_the_bulk_lacks_are_reported(self, ran, files, hpv):
        table = pd.read_csv(files.bulk, sep="\t", index_col=0).iloc[::2]
        table.to_csv(files.folder / "half.tsv", sep="\t")
        result = hpv("deconvolve", ran[0] / "model", files.folder / "half.tsv", "-o", files.folder / "half")
        assert result.code == 0, result.err
        qc = pd.read_csv(files.folder / "half" / "qc.tsv", sep="\t")
        assert qc["gene_overlap"].max() < 0.6

    def test_intervals_contain_the_fractions_and_follow_the_coverage(self, ran, files, hpv, tmp_path):
        arguments = ("deconvolve", ran[0], files.bulk, "-o")
        assert hpv(*arguments, tmp_path / "half", "--coverage", "0.5").code == 0

        def read(folder, name):
            return pd.read_csv(folder / f"{name}.tsv", sep="\t", index_col=0)

        fractions = read(ran[0], "fractions")
        widths = []
        for folder in (ran[0], tmp_path / "half"):
            lower, upper = read(folder, "fractions_lower"), read(folder, "fractions_upper")
            assert ((lower <= fractions) & (fractions <= upper)).all(axis=None)
            assert ((lower >= 0) & (upper <= 1)).all(axis=None)
            widths.append(upper - lower)
        assert (widths[1] < widths[0]).all(axis=None)
        assert hpv(*arguments, tmp_path / "old", "--level", "0.5").code == 0  # the option's earlier name
        assert read(tmp_path / "old", "fractions_lower").equals(read(tmp_path / "half", "fractions_lower"))
        result = hpv(*arguments, tmp_path / "all", "--coverage", "1")
        assert result.code == 2
        assert "The coverage 1 is out of range" in result.err

    def test_single_sample(self, ran, files, hpv):
        pd.read_csv(files.bulk, sep="\t", index_col=0).iloc[:, [2]].to_csv(files.folder / "one.tsv", sep="\t")
        assert hpv("deconvolve", ran[0], files.folder / "one.tsv", "-o", files.folder / "one").code == 0
        one = pd.read_csv(files.folder / "one" / "fractions.tsv", sep="\t", index_col=0)
        many = pd.read_csv(ran[0] / "fractions.tsv", sep="\t", index_col=0)
        np.testing.assert_allclose(one.loc["sample_3"], many.loc["sample_3"], atol=1e-6)

    def test_settings_of_the_answer(self, ran, files, hpv, tmp_path):
        settings = tmp_path / "settings.yaml"
        settings.write_text("deconvolve: {fit: false}\n")
        arguments = ("deconvolve", ran[0], files.bulk, "-o")
        assert hpv(*arguments, tmp_path / "fit").code == 0
        assert hpv(*arguments, tmp_path / "network", "--config", settings).code == 0
        tables = [(tmp_path / name / "fractions.tsv").read_bytes() for name in ("fit", "network")]
        assert tables[0] != tables[1]
        settings.write_text("network: {members: 5}\n")
        result = hpv(*arguments, tmp_path / "other", "--config", settings)
        assert result.code == 2
        assert "Section 'network' of a trained model cannot change" in result.err

    def test_expression_of_types_adds_up_to_the_samples(self, ran, files, hpv, tmp_path):
        arguments = ("deconvolve", ran[0], files.bulk, "--expression", tmp_path / "parts.h5ad", "-o")
        assert hpv(*arguments, tmp_path / "first").code == 0
        parts = anndata.read_h5ad(tmp_path / "parts.h5ad")
        bulk = pd.read_csv(files.bulk, sep="\t", index_col=0).T[parts.var_names]
        fractions = pd.read_csv(tmp_path / "first" / "fractions.tsv", sep="\t", index_col=0)
        assert list(parts.obs["sample"].unique()) == list(bulk.index)
        for sample, rows in parts.obs.groupby("sample", observed=True):
            in_sample = parts[rows.index]
            np.testing.assert_allclose(in_sample.layers["counts"].sum(0), bulk.loc[sample], rtol=1e-4)
            cpm = (rows["rna_fraction"].to_numpy()[:, None] * in_sample.layers["cpm"]).sum(0)
            np.testing.assert_allclose(cpm, bulk.loc[sample] / bulk.loc[sample].sum() * 1e6, rtol=1e-4)
            stated = dict(zip(rows["cell_type"], rows["fraction"], strict=True))
            assert stated == pytest.approx(fractions.loc[sample].to_dict(), abs=1e-6)
        assert parts.obs["information"].between(0, 1).all()
        result = hpv(*arguments, tmp_path / "second")
        assert result.code == 2
        assert "exists" in result.err
        assert not (tmp_path / "second").exists()
        assert hpv(*arguments, tmp_path / "second", "--force").code == 0
        for place in (tmp_path / "third" / "parts.h5ad", tmp_path / "third", files.bulk, tmp_path):
            arguments = ("deconvolve", ran[0], files.bulk, "--expression", place, "--force")
            before = files.bulk.read_bytes()
            assert hpv(*arguments, "-o", tmp_path / "third").code == 2
            assert files.bulk.read_bytes() == before
            assert not (tmp_path / "third").exists()

    def test_unknown_content_that_cannot_be_estimated_gets_no_column(self, ran, files, hpv, tmp_path):
        result = hpv("deconvolve", ran[0], files.bulk, "-o", tmp_path / "out")
        assert result.code == 0
        assert list(pd.read_csv(tmp_path / "out" / "fractions.tsv", sep="\t", index_col=0)) == [
            "B",
            "Monocyte",
            "T",
        ]
        assert json.loads((tmp_path / "out" / "run.json").read_text())["decisions"]["with_unknown"] is False

    def test_what_is_known_of_unknown_content_must_be_usable(self, ran, files, hpv, tmp_path):
        (tmp_path / "purity.tsv").write_text("sample\tshare\nnobody\t0.5\n")
        for option, value, message in (
            ("--purity", tmp_path / "purity.tsv", "are not in the bulk table"),
            ("--world", tmp_path / "lost.tsv", "does not exist"),
        ):
            result = hpv("deconvolve", ran[0], files.bulk, option, value, "-o", tmp_path / "out")
            assert result.code == 2
            assert message in result.err
            assert not (tmp_path / "out").exists()

    def test_profiles_of_other_genes_are_refused_before_training(self, files, hpv, tmp_path):
        other = pd.DataFrame(
            {"one": range(300), "two": range(1, 301)}, index=[f"ENSG{i}" for i in range(300)]
        )
        other.to_csv(tmp_path / "world.tsv", sep="\t")
        result = hpv(
            "run", files.reference, files.bulk, "--world", tmp_path / "world.tsv", "-o", tmp_path / "out"
        )
        assert result.code == 2
        assert "The given profiles do not match the reference: 0 of its 200 genes are in them" in result.err
        assert "Training" not in result.err
        assert not (tmp_path / "out").exists()

    def test_levels_of_a_label_map(self, files, hpv, tmp_path):
        levels = "label\tcell_type\tlevel_1\nB\tB\tlymphoid\nT\tT\tlymphoid\nMonocyte\tMono\tmyeloid\n"
        (tmp_path / "map.tsv").write_text(levels)
        arguments = (
            files.reference,
            files.bulk,
            "--config",
            files.quick,
            "--label-map",
            tmp_path / "map.tsv",
        )
        out = tmp_path / "out"
        assert hpv("run", *arguments, "-o", out).code == 0
        assert hpv("run", *arguments, "-o", out, "--force").code == 0  # its own files may be replaced
        fine = pd.read_csv(out / "fractions.tsv", sep="\t", index_col=0)
        coarse = pd.read_csv(out / "fractions_level_1.tsv", sep="\t", index_col=0)
        np.testing.assert_allclose(coarse["lymphoid"], fine["B"] + fine["T"], atol=1e-6)
        np.testing.assert_allclose(coarse["myeloid"], fine["Mono"], atol=1e-6)
        for side in ("lower", "upper"):
            assert (out / f"fractions_level_1_{side}.tsv").exists()
        qc = pd.read_csv(out / "qc.tsv", sep="\t")
        assert set(qc["trusted_level"].dropna()) <= {"level_1", "cell_type"}
        (tmp_path / "map.tsv").write_text(levels.replace("T\tT\tlymphoid", "T\tB\tmyeloid"))
        result = hpv("run", *arguments, "-o", tmp_path / "other")
        assert result.code == 2
        assert "'B' to two groups" in result.err

    def test_two_references(self, files, hpv):
        other = hpvade.testing.tiny_reference(n_genes=200, seed=5)
        other.write_h5ad(files.folder / "other.h5ad")
        out = files.folder / "two"
        result = hpv(
            "run",
            files.reference,
            files.folder / "other.h5ad",
            files.bulk,
            "-o",
            out,
            "--config",
            files.quick,
        )
        assert result.code == 0, result.err
        assert len(json.loads((out / "run.json").read_text())["inputs_sha256"]) == 3


class TestSteps:
    def test_validate(self, files, hpv):
        result = hpv("validate", files.reference, "--bulk", files.bulk, "--json")
        assert result.code == 0
        facts = json.loads(result.out)["facts"]
        assert facts["n_cells"] == 120
        assert facts["n_samples"] == 6
        assert facts["shared_genes"] > 150

    def test_validate_tells_every_problem_at_once(self, files, hpv):
        result = hpv(
            "validate", files.reference, "--bulk", files.folder / "none.tsv", "--labels-key", "celltype"
        )
        assert result.code == 2
        assert "Did you mean 'cell_type'" in result.out
        assert "none.tsv" in result.out

    def test_validate_with_a_table_of_labels(self, files, hpv, tmp_path):
        cells = anndata.read_h5ad(files.reference)
        cells.obs[["cell_type"]].rename(columns={"cell_type": "kind"}).to_csv(tmp_path / "labels.csv")
        del cells.obs["cell_type"]
        cells.write_h5ad(tmp_path / "cells.h5ad")
        options = ("--labels", tmp_path / "labels.csv", "--labels-key", "kind", "--json")
        result = hpv("validate", tmp_path / "cells.h5ad", *options)
        assert result.code == 0
        assert json.loads(result.out)["facts"]["cell_types"] == {"B": 40, "Monocyte": 40, "T": 40}

    def test_validate_reads_the_settings_file(self, files, hpv, tmp_path):
        (tmp_path / "c.yaml").write_text("preprocess: {min_cells: 50}")
        result = hpv("validate", files.reference, "--config", tmp_path / "c.yaml")
        assert result.code == 2
        assert "fewer than 50 cells" in result.out

    def test_validate_quietly_says_errors_only(self, files, hpv):
        assert hpv("validate", files.reference, "-q").out == ""
        result = hpv("validate", files.reference, "-q", "--labels-key", "celltype")
        assert (result.code, result.out) == (2, "")
        assert "Did you mean 'cell_type'" in result.err

    def test_preprocess_then_simulate(self, files, hpv, tmp_path):
        assert hpv("preprocess", files.reference, "-o", tmp_path / "p.h5ad", "--donor-key", "donor").code == 0
        prepared = anndata.read_h5ad(tmp_path / "p.h5ad")
        assert {"selected"} <= set(prepared.var)
        held = prepared.obs.groupby("donor", observed=True)["split"].nunique()
        assert (held == 1).all()
        result = hpv("simulate", tmp_path / "p.h5ad", "-o", tmp_path / "m.h5ad", "--n-mixtures", 7)
        assert result.code == 0, result.err
        mixtures = anndata.read_h5ad(tmp_path / "m.h5ad")
        assert mixtures.n_obs == 7
        np.testing.assert_allclose(mixtures.obsm["fractions"].sum(1), 1)

    def test_train_then_resume(self, files, hpv, tmp_path):
        arguments = ("train", files.reference, "-o", tmp_path / "model", "--config", files.quick)
        assert hpv(*arguments).code == 0
        assert hpv(*arguments, "--resume").code == 0
        history = pd.read_csv(tmp_path / "model" / "history.csv")
        assert history["epoch"].tolist() == [0, 1, 2, 3]
        assert hpv(*arguments, "--resume", "--max-epochs", 1).code == 0
        assert len(pd.read_csv(tmp_path / "model" / "history.csv")) == 5
        for other in (("--members", 4), ("--seed", 7), ("--preset", "default")):
            refused = hpv(*arguments, "--resume", *other)
            assert refused.code == 2
            assert "only training settings can change" in refused.err

    def test_options_of_the_settings_file_can_be_overridden(self, files, hpv, tmp_path):
        result = hpv(
            "train", files.reference, "-o", tmp_path / "m", "--config", files.quick,
            "--max-epochs", 1, "--members", 2, "--seed", 8,
        )  # fmt: skip
        assert result.code == 0
        config = json.loads((tmp_path / "m" / "model" / "config.json").read_text())
        assert config["config"]["train"]["max_epochs"] == 1
        assert config["config"]["network"]["members"] == 2
        assert config["settings"]["preset"] == "fast"
        assert config["settings"]["seed"] == 8

    def test_evaluate(self, files, hpv, ran, tmp_path):
        result = hpv("evaluate", ran[0] / "fractions.tsv", files.truth, "-o", tmp_path / "m.json")
        assert result.code == 0
        assert "pooled over all pairs" in result.out
        metrics = json.loads((tmp_path / "m.json").read_text())
        assert metrics["summary"]["n_samples"] == 6

    def test_evaluate_with_a_map(self, files, hpv, ran, tmp_path):
        (tmp_path / "map.json").write_text('{"B": ["B"], "T": ["T"]}')
        result = hpv(
            "evaluate", ran[0] / "fractions.tsv", files.truth, "--map", tmp_path / "map.json", "--json"
        )
        assert set(json.loads(result.out)["per_type"]) == {"B", "T"}


def test_quiet_says_nothing(files, hpv, tmp_path):
    result = hpv("run", files.reference, files.bulk, "-o", tmp_path / "q", "--config", files.quick, "-q")
    assert (result.code, result.out, result.err) == (0, "", "")


@pytest.fixture
def interrupted(files, tmp_path):
    """Train in a process of its own and interrupt it after two epochs; returns what it said, and its code."""

    def call(*, times):
        command = [sys.executable, "-m", "hpvade", "train", files.reference, "-o", tmp_path / "m"]
        command += ["--preset", "fast", "--max-epochs", "2000"]
        with subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                if line.startswith("epoch 2/"):
                    break
            for _ in range(times):
                os.kill(process.pid, signal.SIGINT)
                time.sleep(0.003)
            return process.stderr.read(), process.wait(60)

    return call


def test_interrupt_keeps_the_best_model_and_says_how_to_go_on(interrupted, tmp_path):
    said, code = interrupted(times=1)
    assert code == 130
    assert "--resume" in said
    assert len(pd.read_csv(tmp_path / "m" / "history.csv")) >= 2
    assert hpvade.HPVADE.load(tmp_path / "m").cell_types == ["B", "Monocyte", "T"]


def test_the_same_command_replaces_an_interrupted_model_but_no_finished_one(
    interrupted, hpv, files, tmp_path
):
    interrupted(times=1)
    command = ("train", files.reference, "-o", tmp_path / "m", "--config", files.quick)
    assert hpv(*command).code == 0
    again = hpv(*command)
    assert again.code == 2
    assert "exists" in again.err


def test_a_second_interrupt_ends_with_the_same_code(interrupted):
    _, code = interrupted(times=2)
    assert code == 130


@pytest.mark.parametrize("program", ["import hpvade", "runpy.run_module('hpvade', run_name='__main__')"])
def test_import_and_help_load_no_large_library(program):
    code = (
        "import contextlib, runpy, sys\n"
        "sys.argv = ['hpvade', '--help']\n"
        f"with contextlib.suppress(SystemExit): {program}\n"
        "heavy = {'torch', 'lightning', 'scanpy', 'anndata', 'pandas', 'h5py', 'starlette'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


COMMANDS = sorted(typer.main.get_command(app).commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(hpv, command):
    result = hpv(command, "--help")
    assert result.code == 0
    assert f"Example: hpvade {command}" in result.out


def test_version(hpv):
    assert hpv("--version").out == f"hpvade {hpvade.__version__}\n"


class TestLargeReferences:
    """With --max-cells a pool of cells is kept, and the signature is that of all."""

    def test_run(self, files, hpv, tmp_path):
        again = ("--config", files.quick, "--donor-key", "donor", "--quiet")
        for name, most in (("pool", 100), ("whole", 1000)):
            out = tmp_path / name
            result = hpv("run", files.reference, files.bulk, "-o", out, *again, "--max-cells", most)
            assert result.code == 0, result.err
        pool, whole = (hpvade.HPVADE.load(tmp_path / name) for name in ("pool", "whole"))
        signatures = (model.reference_signature.all_genes for model in (pool, whole))
        found, expected = (dict(zip(all_genes.genes, all_genes.cpm, strict=True)) for all_genes in signatures)
        np.testing.assert_allclose(*(list(map(d.get, expected)) for d in (found, expected)), rtol=1e-6)
        decisions = json.loads((tmp_path / "pool" / "run.json").read_text())["decisions"]
        assert decisions["cells"] == 120
        assert 90 <= decisions["cells_kept"] <= 100

    def test_validate_tells_how_many_there_are(self, files, hpv):
        result = hpv("validate", files.reference, "--json", "--max-cells", 100)
        facts = json.loads(result.out)["facts"]
        assert (facts["n_cells"], facts["n_cells_kept"]) == (120, 99)

    def test_two_references(self, files, hpv, tmp_path):
        other = hpvade.testing.tiny_reference(n_genes=200, seed=3)
        other.write_h5ad(tmp_path / "other.h5ad")
        result = hpv(
            "train", files.reference, tmp_path / "other.h5ad", "-o", tmp_path / "model",
            "--config", files.quick, "--quiet", "--max-cells", 100,
        )  # fmt: skip
        assert result.code == 0, result.err


class TestReport:
    @pytest.fixture
    def results(self, hpv, files, tmp_path):
        out = tmp_path / "out"
        result = hpv(
            "run", files.reference, files.bulk, "-o", out, "--config", files.quick, "-q", "--no-report"
        )
        assert result.code == 0, result.err
        assert not (out / "report.html").exists()
        return out

    def test_is_made_afterwards_with_groups(self, hpv, results, tmp_path):
        samples = pd.read_csv(results / "fractions.tsv", sep="\t")["sample"]
        lines = [f"{name};{'ab'[i % 2]}" for i, name in enumerate(samples)]
        (tmp_path / "groups.csv").write_text("\n".join(["sample;group", *lines]) + "\n")
        result = hpv("report", results, "--groups", tmp_path / "groups.csv", "--json")
        assert result.code == 0, result.err
        assert json.loads(result.out) == {"report": str(results / "report.html")}
        assert list(pd.read_csv(results / "group_tests.tsv", sep="\t")["cell_type"]) == ["B", "Monocyte", "T"]
        again = hpv("report", results)
        assert again.code == 0
        assert 'id="groups"' in (results / "report.html").read_text()

    def test_without_its_model_says_so(self, hpv, results, tmp_path):
        (results / "model").rename(tmp_path / "moved")
        result = hpv("report", results)
        assert result.code == 0
        assert "lacks the sections about the model" in result.err
        assert "Not assessed" in (results / "report.html").read_text()
        assert hpv("report", results, "--model", tmp_path / "moved").code == 0
        assert "Not assessed" not in (results / "report.html").read_text()

    def test_of_no_results(self, hpv, tmp_path):
        result = hpv("report", tmp_path)
        assert result.code == 2
        assert "contains no fractions.tsv" in result.err

    def test_interrupted_leaves_nothing_and_the_same_command_goes_on(
        self, hpv, files, results, tmp_path, monkeypatch
    ):
        def stop(_results, _folder):
            raise KeyboardInterrupt

        command = ("deconvolve", results, files.bulk, "-o", tmp_path / "again")
        with monkeypatch.context() as patch:
            patch.setattr("hpvade.jobs._deconvolve.write_report", stop)
            result = hpv(*command)
        assert result.code == 130
        assert "Run the same command again to resume" in result.err
        assert not (tmp_path / "again").exists()
        assert hpv(*command).code == 0
        assert (tmp_path / "again" / "report.html").exists()
        assert {path.name for path in tmp_path.iterdir()} == {"again", results.name}

    def test_groups_of_a_shard_are_refused(self, hpv, files, results, tmp_path):
        (tmp_path / "groups.tsv").write_text("sample\tgroup\n")
        out = tmp_path / "shard"
        result = hpv(
            "deconvolve",
            results,
            files.bulk,
            "-o",
            out,
            "--shard",
            "1/1",
            "--groups",
            tmp_path / "groups.tsv",
        )
        assert result.code == 2
        assert "a shard has only some" in result.err


def test_a_table_in_the_place_of_the_reference(hpv, files, tmp_path):
    result = hpv("run", files.bulk, files.reference, "-o", tmp_path / "out")
    assert result.code == 2
    assert "The bulk table comes last" in result.err


def test_summary_shows_types_samples_and_where_the_results_are(hpv, files, ran, tmp_path):
    result = hpv("deconvolve", ran[0], files.bulk, "-o", tmp_path / "out", "--coverage", "0.5")
    mean = pd.read_csv(tmp_path / "out" / "fractions.tsv", sep="\t", index_col=0).mean()
    assert "The median 50% interval of a cell type is ±" in result.out
    for name, value in mean.items():
        line = next(line for line in result.out.splitlines() if line.startswith(f"  {name} "))
        assert f"{value:.1%}" in line
    assert f"Report:  {tmp_path / 'out' / 'report.html'}" in result.out
    assert result.out.rstrip().splitlines()[-1] == f"Results: {tmp_path / 'out'}"


@pytest.mark.parametrize(
    ("command", "option"),
    [("validate", "--seed"), ("validate", "--threads"), ("report", "--threads"), ("deconvolve", "--seed")],
)
def test_an_option_without_effect_is_accepted_but_not_offered(hpv, files, ran, tmp_path, command, option):
    arguments = {
        "validate": (files.reference,),
        "report": (ran[0],),
        "deconvolve": (ran[0], files.bulk, "-o", tmp_path / "out"),
    }[command]
    result = hpv(command, *arguments, option, "1")
    assert result.code == 0
    assert f"{option} has no effect on hpvade {command}" in result.err
    assert option not in hpv(command, "--help").out


def test_the_original_preset_keeps_its_earlier_name(hpv, files, tmp_path):
    settings = []
    for name in ("seed", "original"):
        out = tmp_path / name
        result = hpv("train", files.reference, "-o", out, "--preset", name, "--max-epochs", 1, "--members", 1,
                     "--config", files.small)  # fmt: skip
        assert result.code == 0, result.err
        settings.append(json.loads((out / "model" / "config.json").read_text())["settings"])
    assert settings[0] == settings[1]
    assert settings[0]["preset"] == "original"
    assert "original" in hpv("train", "--help").out
    assert (
        "'best' is not a preset"
        in hpv("train", files.reference, "-o", tmp_path / "x", "--preset", "best").err
    )
