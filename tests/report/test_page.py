"""The page as a file: complete, and safe against names that contain markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from hpvade._warnings import DegenerateMetricWarning
from hpvade.deconvolve import FLAGS
from hpvade.jobs import TrainOptions, run_files
from hpvade.metrics import compare_groups
from hpvade.report import render
from hpvade.report._methods import methods_text
from hpvade.report._sections import groups_section
from hpvade.results import FractionTable, read_results


class Page(HTMLParser):
    """Elements with their attributes, and the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        inside = self.elements[-1][0] if self.elements else ""
        (self.scripts if inside == "script" else self.texts).append(data)


@pytest.fixture(scope="session")
def text(written):
    return (written / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def page(text):
    return Page(text)


@pytest.fixture(scope="session")
def data(page):
    return json.loads(next(s for s in page.scripts if s.lstrip().startswith("{")))


def test_names_are_never_markup(page, hostile):
    assert not [tag for tag, _ in page.elements if tag in ("img", "b", "iframe")]  # b: only with flags
    assert all(attributes.get("class") == "swatch" for tag, attributes in page.elements if tag == "i")
    assert sum(tag == "script" for tag, _ in page.elements) == 2  # the data and the code
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
    everything = " ".join(page.texts)
    assert hostile.types[0] in everything
    assert hostile.types[1] in everything


def test_only_the_embedded_script_may_run_and_nothing_is_fetched(text, page):
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    script = text[text.rindex("<script>") + len("<script>") : text.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    for tag, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action"):
            assert not re.match("(https?:)?//", attributes.get(name) or ""), (tag, attributes)


def test_data_are_those_of_the_files(written, data, hostile):
    stored = pd.read_csv(written / "fractions.tsv", sep="\t", index_col=0)
    table = data["tables"][0]
    assert data["samples"][0] == hostile.sample
    assert table["types"] == list(stored)
    shown = np.array(table["fractions"]).reshape(stored.shape) / data["scale"]
    np.testing.assert_allclose(shown, stored, atol=5.1e-5)
    upper = pd.read_csv(written / "fractions_upper.tsv", sep="\t", index_col=0)
    np.testing.assert_allclose(
        np.array(table["upper"]) / data["scale"], upper.to_numpy().ravel(), atol=5.1e-5
    )
    assert sorted(data["clustered"]) == list(range(30))
    assert data["qc"][0]["name"] == "flags"


def test_all_sections_are_present_in_order(page):
    parts = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    assert parts == [
        "verdict", "composition", "types", "groups", "quality", "model", "reference", "training", "methods",
    ]  # fmt: skip


def test_figures_follow_the_theme_and_have_text_alternatives(text):
    figures = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(figures) >= 10
    for figure in figures:
        assert 'role="img" aria-label="' in figure
        assert "var(--ink)" in figure
        assert "#24292f" not in figure


def test_figures_have_tables_to_download(data, written):
    heldout = pd.read_csv(written / "model" / "validation.tsv", sep="\t")
    lines = data["tsv"]["predicted_versus_true"].splitlines()
    assert len(lines) == 1 + len(heldout)
    history = pd.read_csv(written / "history.csv")
    assert data["tsv"]["loss"].splitlines()[0] == "epoch\ttrain_loss\tval_loss"
    assert float(data["tsv"]["loss"].splitlines()[1].split("\t")[1]) == pytest.approx(
        history["train_loss"][0], rel=1e-5
    )


def test_without_a_model_the_sections_give_the_reason(answered):
    (answered.parent / "trained").rename(answered.parent / "gone")
    text = render(read_results(answered))
    assert "--model MODEL_FOLDER" in text
    assert "Not assessed" in text
    assert "no history.csv" in text


def test_without_groups_there_is_no_section_for_them(answered):
    assert 'id="groups"' not in render(read_results(answered))


def test_the_page_is_reproducible(written):
    results = read_results(written)
    assert render(results) == render(results)


@pytest.fixture(scope="session")
def collapsed(written, tmp_path_factory):
    """Results of the original preset, which does not learn."""
    folder = tmp_path_factory.mktemp("collapsed") / "out"
    changes = {"train": {"max_epochs": 2}, "simulate": {"n_mixtures": 100, "n_heldout": 50, "n_cells": 50}}
    with pytest.warns(DegenerateMetricWarning):
        run_files(
            [written.parent / "reference.h5ad"],
            written.parent / "bulk.tsv",
            folder,
            train=TrainOptions("seed", changes),
        )
    return folder


def test_the_page_of_a_model_that_learned_nothing(collapsed):
    history = pd.read_csv(collapsed / "history.csv")
    assert history["val_r_type"].isna().all()  # otherwise this tests nothing
    text = (collapsed / "report.html").read_text(encoding="utf-8")
    assert "Not reliable" in text
    assert "no values of" in text  # in place of the correlation curve
    assert 'data-svg="r_type"' not in text
    assert 'data-svg="loss"' in text


def test_the_paragraph_for_a_paper_follows_the_settings(written, collapsed):
    text = methods_text(read_results(written))
    for part in ("platform effects", "robust fit", "RNA content"):
        assert part in text
        assert part not in methods_text(read_results(collapsed))


def test_levels_and_missing_values_are_shown(results_folder):
    for side in ("", "_lower", "_upper"):
        shutil.copy(results_folder / f"fractions{side}.tsv", results_folder / f"fractions_lineage{side}.tsv")
    qc = pd.read_csv(results_folder / "qc.tsv", sep="\t", index_col=0)
    flags = ["poor_fit"] + [""] * (len(qc) - 1)
    qc.assign(flags=flags, unknown=np.nan, unknown_genes="").to_csv(results_folder / "qc.tsv", sep="\t")
    text = render(read_results(results_folder))
    data = json.loads(next(s for s in Page(text).scripts if s.lstrip().startswith("{")))
    assert [table["name"] for table in data["tables"]][1] == "Cell fractions, lineage"
    assert next(c for c in data["qc"] if c["name"] == "unknown")["values"] == [None] * 30
    assert FLAGS["poor_fit"].remedy in text


def test_figures_of_many_samples_in_groups_stay_small(written):
    results = read_results(written)
    names = [f"s{i}" for i in range(3000)]
    values = np.random.default_rng(0).dirichlet(np.ones(3), 3000)
    fractions = pd.DataFrame(values, index=names, columns=list(results.fractions))
    groups = pd.Series(["a", "b"] * 1500, index=names)
    many = replace(
        results,
        tables=(FractionTable("Cell fractions", fractions),),
        groups=groups,
        group_tests=compare_groups(fractions, groups),
    )
    drawn = groups_section(many, {})["figures"]
    assert all(len(figure.svg) < 500_000 for figure in drawn)


def test_a_single_sample(results_folder):
    for path in (*results_folder.glob("*fractions*.tsv"), results_folder / "qc.tsv"):
        path.write_text("\n".join(path.read_text().splitlines()[:2]) + "\n")
    (results_folder / "groups.tsv").unlink()
    text = render(read_results(results_folder))
    assert "averaged over" not in text
    assert "1 samples" not in text
    assert "of 1 bulk sample (unit: TPM/CPM)" in text


def test_a_long_table_is_cut_with_a_note(written, monkeypatch):
    monkeypatch.setattr("hpvade.report._page._MAX_SAMPLES", 10)
    text = render(read_results(written))
    assert "first 10 of 30 samples" in text
    data = json.loads(next(s for s in Page(text).scripts if s.lstrip().startswith("{")))
    assert len(data["samples"]) == 10
    assert len(data["tables"][0]["fractions"]) == 30
