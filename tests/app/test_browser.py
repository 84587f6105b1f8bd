"""The pages in a browser."""

from __future__ import annotations

import pickle
import re
import shutil
import zipfile

import pandas as pd
import pytest
from playwright.sync_api import expect, sync_playwright

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

HANG = 600_000  # ms: only a page that hangs takes longer, however busy the machine is
expect.set_options(timeout=HANG)
TYPES = ["B <img src=x onerror=alert(1)>", "Monocyte & co", "T"]


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium, site):
    """A page of the site, with access; it must have no error and request nothing from other machines."""
    site.post("/cancel")
    site.post("/start-over")
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(HANG)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: request.url.startswith(site.url) or problems.append(request.url))
    page.goto(f"{site.url}/?token={site.token}")
    yield page
    context.close()
    assert problems == []


def heading(page, text):
    expect(page.get_by_role("heading", level=1)).to_contain_text(text)


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


@pytest.mark.slow
def test_from_upload_to_download(tab, site, tiny, tmp_path):
    assert tab.url == f"{site.url}/"  # without the token

    tab.get_by_text("Options", exact=True).click()
    tab.get_by_label("Upload a file", exact=True).nth(0).set_input_files(tiny / "reference.h5ad")
    tab.get_by_label("Upload a file", exact=True).nth(1).set_input_files(tiny / "bulk.tsv")
    tab.get_by_label("Cell type column").fill("celltype")
    tab.get_by_label("Preset").select_option("fast")
    tab.get_by_label("Maximum epochs").fill("8")
    button(tab, "Check the files").click()

    heading(tab, "1 problem to fix")
    expect(tab.get_by_role("alert").first).to_contain_text("labels_key='celltype' is not in the obs")
    expect(button(tab, "Run")).to_have_count(0)
    tab.get_by_label("Cell type column").fill("cell_type")
    button(tab, "Check again").click()

    heading(tab, "Ready to run")
    expect(tab.locator(".chips")).to_contain_text(TYPES[0])
    button(tab, "Run").click()
    heading(tab, "Run in progress")
    expect(tab.locator(".stages .current")).to_contain_text("Training the model")
    button(tab, "Cancel the run").click()
    heading(tab, "The run was cancelled")

    button(tab, "Run again").click()
    heading(tab, "Run in progress")
    expect(tab.get_by_text(re.compile(r"Epoch \d+ of at most 8"))).to_be_visible(timeout=HANG)
    tab.reload()
    heading(tab, "6 samples deconvolved")
    report = tab.frame_locator("iframe")
    for name in TYPES:
        expect(report.locator("#c-legend")).to_contain_text(name)

    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download all files").click()
    download.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        with archive.open("hpvade-results/fractions.tsv") as file:
            fractions = pd.read_csv(file, sep="\t", index_col=0)
        assert "hpvade-results/model/weights.safetensors" in archive.namelist()
    assert list(fractions.columns) == TYPES
    assert fractions.index[0] == "<script>alert(2)</script>"
    assert fractions.sum(axis=1).round(6).eq(1).all()

    tab.go_back()
    heading(tab, "6 samples deconvolved")  # and nothing was sent again
    job = site.session.run
    tab.get_by_role("link", name="Data", exact=True).click()
    expect(tab.get_by_text("Selected: reference.h5ad")).to_be_visible()
    assert site.session.run is job
    tab.get_by_role("button", name="Start over and delete all files").click()
    expect(tab.get_by_text("Selected:")).to_have_count(0)
    assert site.left() == []


def test_errors_are_shown_beside_the_form(tab, site, tmp_path):
    (tmp_path / "evil.h5ad").write_bytes(pickle.dumps(print))
    (tmp_path / "large.tsv").write_bytes(b"gene\ts\n" + b"g\t1\n" * 200_000)
    tab.locator("#reference").set_input_files(tmp_path / "evil.h5ad")
    button(tab, "Check the files").click()
    expect(tab.get_by_role("alert")).to_contain_text(
        "'evil.h5ad' is not an HDF5 file: it looks like a Python pickle"
    )
    tab.locator("#reference").set_input_files([])
    tab.locator("#bulk").set_input_files(tmp_path / "large.tsv")
    button(tab, "Check the files").click()
    expect(tab.get_by_role("alert")).to_contain_text("The files are 0.8 MB in total; the maximum is 0.6 MB")
    expect(button(tab, "Check the files")).to_be_enabled()
    assert site.left() == []


def test_by_keyboard_and_without_scripts(chromium, site, tiny):
    site.post("/start-over")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/?token={site.token}")
    page.locator("#reference-choice").select_option("reference:reference.h5ad")
    page.locator("#bulk-choice").select_option("bulk:bulk.tsv")
    page.locator("#bulk-choice").focus()
    page.keyboard.press("Tab")  # the options
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("donor")
    page.keyboard.press("Enter")
    heading(page, "Ready to run")  # the page reloads itself
    expect(page.locator(".chips")).to_contain_text("donor_3")
    context.close()
    site.post("/start-over")


def test_a_large_upload_without_scripts(chromium, site, tmp_path):
    (tmp_path / "large.tsv").write_bytes(b"gene\ts\n" + b"g\t1\n" * 5_000_000)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/?token={site.token}")
    page.locator("#bulk").set_input_files(tmp_path / "large.tsv")
    button(page, "Check the files").click()
    expect(page.get_by_role("alert")).to_contain_text("larger than 600 kB in total")
    context.close()
    assert site.left() == []


REPORT = """<!doctype html><body><p id="seen">not run</p><script>
const results = [];
try { results.push("cookie " + document.cookie); } catch { results.push("no cookie"); }
try { results.push("parent " + parent.document.title); } catch { results.push("no parent"); }
fetch("/progress/run").then(() => results.push("fetched")).catch(() => results.push("no network"))
  .finally(() => { document.getElementById("seen").textContent = results.join(", "); });
</script></body>"""


def test_a_report_runs_its_scripts_and_has_no_access(tab, site, tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text(REPORT)
    monkeypatch.setattr(type(site.session), "results", property(lambda _session: tmp_path))
    tab.evaluate(
        """() => {
          const frame = document.createElement("iframe");
          frame.src = "/report";
          frame.sandbox = "allow-scripts allow-downloads";
          document.body.append(frame);
        }"""
    )
    seen = tab.frame_locator("iframe").locator("#seen")
    expect(seen).to_have_text("no cookie, no parent, no network")
    tab.goto(f"{site.url}/report")  # also when it is opened in its own tab
    expect(tab.locator("#seen")).to_have_text("no cookie, parent , no network")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_small_screen(tab, scheme):
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": 400, "height": 800})
    tab.get_by_text("Options", exact=True).click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 400
    background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(246, 247, 248)", "dark": "rgb(20, 25, 27)"}[scheme]


def test_every_field_has_a_label(tab):
    tab.get_by_text("Options", exact=True).click()
    unnamed = tab.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden]), select')]"
        ".filter((field) => !field.labels.length).map((field) => field.name)"
    )
    assert unnamed == []
