"""The page in Chromium, opened from disk and used without network."""

from __future__ import annotations

import shutil

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import hpvade
from hpvade.jobs import TrainOptions, run_files
from hpvade.pl._composition import clustered_order
from hpvade.report._numbers import percent, table_cell

sync_api = pytest.importorskip("playwright.sync_api")

N_SAMPLES = 2_000


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on the PATH; Debian's package has it")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Open a file in a window; any message in the console and any request fails the test."""
    contexts, problems = [], []

    def open_file(path, *, width=1400, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: request.url == path.as_uri() or problems.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert [text for text in problems if not text.startswith("data:")] == []


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Results of a run on 2,000 samples."""
    folder = tmp_path_factory.mktemp("large")
    cells = hpvade.testing.tiny_reference(n_cells=60, n_genes=200)
    cells.write_h5ad(folder / "reference.h5ad")
    bulk = hpvade.testing.tiny_bulk(cells, n_samples=N_SAMPLES)
    table = ad.AnnData(bulk.X.astype(np.float32), obs=bulk.obs, var=bulk.var)
    table.write_h5ad(folder / "bulk.h5ad")
    changes = {"train": {"max_epochs": 2}, "simulate": {"n_mixtures": 200, "n_heldout": 50, "n_cells": 50}}
    run_files(
        [folder / "reference.h5ad"],
        folder / "bulk.h5ad",
        folder / "out",
        train=TrainOptions("fast", changes),
    )
    return folder / "out"


@pytest.fixture(scope="module")
def monaco(shared_data, tmp_path_factory):
    """Results of twelve real samples."""
    folder = tmp_path_factory.mktemp("monaco") / "out"
    run_files(
        [shared_data / "reference" / "pbmc_hao" / "sc_pbmc_hao_small.h5ad"],
        shared_data / "bulk" / "monaco_GSE107011" / "bulk_tpm.tsv.gz",
        folder,
        train=TrainOptions("fast", {"train": {"max_epochs": 3}}),
    )
    return folder


def names_shown(page):
    return page.locator("#c-rows th").all_inner_texts()


def downloaded(page, selector, tmp_path):
    with page.expect_download() as download:
        page.click(selector)
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_a_page_of_hostile_names_shows_them_as_text(written, open_page, hostile):
    page = open_page(written / "report.html")
    assert names_shown(page)[0] == hostile.sample
    assert page.locator("#c-legend button").all_inner_texts() == sorted(hostile.types)
    assert page.locator("img").count() == 0
    page.locator("#c-rows th button").first.click()
    assert hostile.types[0] in page.locator("#c-sample").inner_text()
    assert "<i>old</i>" in page.locator("#groups").inner_text()


def test_sorting(written, open_page):
    fractions = pd.read_csv(written / "fractions.tsv", sep="\t", index_col=0)
    page = open_page(written / "report.html")
    assert names_shown(page) == list(fractions.index[:25])
    page.locator("#c-legend button").nth(1).click()
    assert names_shown(page) == list(fractions.iloc[:, 1].sort_values(ascending=False).index[:25])
    page.select_option("#c-sort", "clustered")
    order = clustered_order(fractions.to_numpy())
    assert names_shown(page) == list(fractions.index[order[:25]])
    heading = page.locator("#q-table th", has_text="reconstruction r").locator("button")
    heading.click()
    qc = pd.read_csv(written / "qc.tsv", sep="\t", index_col=0)
    shown = page.locator("#q-table tbody th").all_inner_texts()
    assert list(qc.loc[shown, "reconstruction_r"]) == sorted(qc["reconstruction_r"], reverse=True)[:25]
    heading.click()
    shown = page.locator("#q-table tbody th").all_inner_texts()
    assert list(qc.loc[shown, "reconstruction_r"]) == sorted(qc["reconstruction_r"])[:25]


def test_static_tables_sort_on_click(written, open_page):
    page = open_page(written / "report.html")
    table = page.locator('table[data-name="model_accuracy"]')
    table.locator("th button", has_text="RMSE").click()
    cells = table.locator("tbody td:nth-child(4)").all()
    values = [float(cell.get_attribute("data-value")) for cell in cells]
    assert values == sorted(values, reverse=True)


def test_scripts_write_numbers_like_python(written, open_page):
    page = open_page(written / "report.html")
    for value in (12345.6789, 0.1, -0.0127, 0.0, 0.001, 2e-4, -2e-4):
        assert page.evaluate("(value) => number(value, 3)", value) == table_cell(value)
    assert page.evaluate("number(1234567, 0)") == table_cell(1234567)
    assert page.evaluate("number(null, 3)") == table_cell(float("nan"))
    assert page.evaluate("percent(1234)") == percent(0.1234, decimals=1)


def test_searching(written, open_page):
    page = open_page(written / "report.html")
    page.fill("#c-find", "sample_12")
    sync_api.expect(page.locator("#c-rows tr")).to_have_count(1)
    assert names_shown(page) == ["sample_12"]
    page.fill("#c-find", "no such sample")
    sync_api.expect(page.locator("#c-rows")).to_have_text("No matching samples.")
    page.fill("#q-find", "sample_3")
    sync_api.expect(page.locator("#q-table tbody th")).to_have_text(["sample_3", "sample_30"])


def test_hovering_shows_fraction_and_interval(written, open_page):
    page = open_page(written / "report.html")
    fractions, lower, upper = (
        pd.read_csv(written / f"fractions{side}.tsv", sep="\t", index_col=0)
        for side in ("", "_lower", "_upper")
    )
    k = int(fractions.iloc[1].to_numpy().argmax())
    page.locator("#c-rows tr").nth(1).locator(f'[data-k="{k}"]').hover()
    text = page.locator("#tip").inner_text()
    values = (fractions.iloc[1, k], lower.iloc[1, k], upper.iloc[1, k])
    assert "sample_2" in text
    assert "{:.1f}% ({:.1f}% \u2013 {:.1f}%)".format(*(100 * v for v in values)) in text
    page.locator("#t-chart svg").hover()
    assert "%" in page.locator("#tip").inner_text()


def test_theme_follows_the_system_and_can_be_chosen(written, open_page):
    paper = "getComputedStyle(document.querySelector('#verdict')).backgroundColor"
    light = open_page(written / "report.html").evaluate(paper)
    page = open_page(written / "report.html", scheme="dark")
    dark = page.evaluate(paper)
    assert light == "rgb(255, 255, 255)"
    assert dark != light
    page.click("#theme")
    assert page.evaluate(paper) == light
    page.click("#theme")
    assert page.evaluate(paper) == dark
    ink = "getComputedStyle(document.querySelector('#training svg text')).fill"
    assert page.evaluate(ink) == page.evaluate("getComputedStyle(document.body).color")


def test_downloads_contain_what_is_shown(written, open_page, tmp_path):
    fractions = pd.read_csv(written / "fractions.tsv", sep="\t", index_col=0)
    page = open_page(written / "report.html", scheme="dark")
    table = pd.read_csv(downloaded(page, "#c-tsv", tmp_path), sep="\t", index_col=0)
    np.testing.assert_allclose(table, fractions, atol=1e-4)
    assert list(table.index) == list(fractions.index)
    quality = pd.read_csv(downloaded(page, "#q-tsv", tmp_path), sep="\t", index_col=0)
    assert list(quality.index) == list(fractions.index)
    one = pd.read_csv(downloaded(page, "#t-tsv", tmp_path), sep="\t", index_col=0)
    assert list(one.columns[1:]) == ["lower", "upper"]
    validation = pd.read_csv(downloaded(page, '[data-tsv="predicted_versus_true"]', tmp_path), sep="\t")
    assert len(validation) == 200 * fractions.shape[1]
    tests = pd.read_csv(downloaded(page, '[data-table="groups"]', tmp_path), sep="\t", index_col=0)
    stored = pd.read_csv(written / "group_tests.tsv", sep="\t", index_col=0)
    np.testing.assert_allclose(tests["p"], stored["p"], rtol=1e-5)
    for selector in ("#c-svg", "#t-svg", '[data-svg="calibration"]', '[data-svg="signature"]'):
        path = downloaded(page, selector, tmp_path)
        picture = open_page(path)  # valid on its own, with its colours written in
        assert picture.locator("svg text").count() > 3
        assert "var(" not in path.read_text(encoding="utf-8")
        ink = page.evaluate("getComputedStyle(document.body).color")
        fills = picture.evaluate(
            "[...document.querySelectorAll('text')].map((t) => getComputedStyle(t).fill)"
        )
        muted = page.evaluate("getComputedStyle(document.querySelector('.subtitle')).color")
        assert set(fills) <= {ink, muted}


def test_keyboard_reaches_a_sample(written, open_page):
    page = open_page(written / "report.html")
    page.locator("#c-rows th button").nth(2).focus()
    page.keyboard.press("Enter")
    assert "sample_3" in page.locator("#c-sample h3").inner_text()
    assert "null" not in page.locator("#c-sample").inner_text()
    assert page.evaluate("document.activeElement.tagName") == "H3"
    page.locator("#c-sample button").click()
    assert page.evaluate("document.activeElement.textContent") == "sample_3"


def test_keyboard_keeps_its_position(written, open_page):
    page = open_page(written / "report.html")
    page.locator("#c-legend button").nth(1).focus()
    page.keyboard.press("Enter")
    pressed = page.evaluate("document.activeElement.getAttribute('aria-pressed')")
    assert pressed == "true"
    page.locator("#c-pages button", has_text="\u203a").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "First page"


def test_real_samples(monaco, open_page, tmp_path):
    fractions = pd.read_csv(monaco / "fractions.tsv", sep="\t", index_col=0)
    page = open_page(monaco / "report.html")
    assert names_shown(page) == list(fractions.index)
    assert (monaco / "report.html").stat().st_size < 3e6
    page.locator("#c-legend button", has_text="Monocytes").click()
    assert names_shown(page) == list(fractions["Monocytes"].sort_values(ascending=False).index)
    page.fill("#c-find", "cyf")
    sync_api.expect(page.locator("#c-rows th")).to_have_text(["CYFZ"])
    page.locator("#c-rows .bar i").first.hover()
    assert "CYFZ" in page.locator("#tip").inner_text()
    assert len(pd.read_csv(downloaded(page, "#q-tsv", tmp_path), sep="\t")) == 12


def test_many_samples(large, open_page, tmp_path):
    page = open_page(large / "report.html")
    assert names_shown(page)[0] == "sample_1"
    assert (large / "report.html").stat().st_size < 5e6
    page.locator("#c-pages button", has_text="»").click()
    assert names_shown(page)[-1] == f"sample_{N_SAMPLES}"
    overview = page.locator("#c-overview svg")
    overview.click(position={"x": overview.bounding_box()["width"] * 0.505, "y": 10})
    assert page.locator("#c-pages [role=status]").inner_text() == "1,001\u20131,025 of 2,000"
    table = pd.read_csv(downloaded(page, "#c-tsv", tmp_path), sep="\t", index_col=0)
    assert len(table) == N_SAMPLES


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_window_does_not_scroll_sideways(written, large, open_page, scheme):
    for folder in (written, large):
        page = open_page(folder / "report.html", width=400, scheme=scheme)
        page.locator("#c-rows th button").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_printing_shows_every_sample(written, open_page):
    page = open_page(written / "report.html", scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(names_shown(page)) == 30
    assert page.locator("#q-table tbody tr").count() == 30
    page.emulate_media(media="print")
    for selector in ("#c-legend button", "#q-table th button", 'table[data-name="cell_types"] th button'):
        assert page.locator(selector).first.is_visible()  # bars and numbers need these labels
    assert not page.locator("#theme").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(31, 36, 48)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert len(names_shown(page)) == 25
