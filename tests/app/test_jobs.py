"""Checks and runs through the server, in processes of their own."""

from __future__ import annotations

import contextlib
import html
import io
import os
import signal
import zipfile

import h5py
import pytest
from anndata import read_h5ad

from hpvade.jobs import ReferenceOptions, TrainOptions, run_files

QUICK = {"preset": "fast", "max_epochs": 2}


@pytest.fixture(scope="module")
def files(tiny):
    return {
        "reference": ("my <cells>.h5ad", (tiny / "reference.h5ad").read_bytes()),
        "bulk": ("my bulk.tsv", (tiny / "bulk.tsv").read_bytes()),
    }


@pytest.fixture(scope="module")
def checked(site, files):
    """A server with uploads that passed the check."""
    site.upload(files, **QUICK)
    assert "Ready to run" in site.wait("check").plain
    return site


@pytest.fixture(scope="module")
def ran(checked):
    """A server with the results of a run."""
    checked.post("/run", check=checked.session.check.number)
    assert "6 samples deconvolved" in checked.wait("run").plain
    return checked


def test_problems_are_shown_and_nothing_can_be_run(site, files):
    assert site.upload(files, labels_key="celltype").headers["location"] == "/check"
    page = site.wait("check")
    message = "labels_key='celltype' is not in the obs of my <cells>.h5ad. Columns: cell_type, donor."
    assert message in page.plain
    assert "my <cells>.h5ad" not in page.text
    assert str(site.session.folder) not in page.text
    assert 'action="/run"' not in page.text
    assert '<option value="donor">' in page.text  # a suggestion
    assert site.post("/run", check=site.session.check.number).status == 409
    assert site.session.run is None


def test_a_tenx_file_with_a_table_of_labels(site, files, tiny):
    cells = read_h5ad(tiny / "reference.h5ad")
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        group = file.create_group("matrix")
        counts = cells.layers["counts"].tocsr()
        group["data"], group["indices"], group["indptr"] = counts.data, counts.indices, counts.indptr
        group["shape"], group["barcodes"] = counts.shape[::-1], [name.encode() for name in cells.obs_names]
        for key in ("id", "name"):
            group[f"features/{key}"] = [name.encode() for name in cells.var_names]
        group["features/feature_type"] = [b"Gene Expression"] * cells.n_vars
    tenx = {"reference": ("filtered.h5", stored.getvalue()), "bulk": files["bulk"]}
    site.upload(tenx)
    assert "filtered.h5 has no cell labels" in site.wait("check").plain
    labels = cells.obs[["cell_type"]].to_csv(sep="\t").encode()
    site.upload({"labels": ("labels.tsv", labels)})
    page = site.wait("check")
    assert "Ready to run" in page.plain
    assert "Table of labels" in page.plain
    site.post("/start-over")


def test_a_layer_and_genes_in_another_case(site, files):
    name, table = files["bulk"]
    site.upload(files | {"bulk": (name, table.lower())}, layer="nowhere")
    page = site.wait("check")
    assert "layer='nowhere' is not in my <cells>.h5ad" in page.plain
    site.upload({}, layer="counts")
    assert "pass --ignore-case" in site.wait("check").plain
    site.upload({}, layer="counts", ignore_case="1")
    assert "Ready to run" in site.wait("check").plain


def test_a_bulk_with_other_genes_is_a_problem(site, files):
    other = "gene\ts1\n" + "".join(f"OTHER{i}\t{i}\n" for i in range(1, 300))
    site.upload(files | {"bulk": ("other.tsv", other.encode())})
    assert "The bulk table has 0 of the 200 genes of the reference" in site.wait("check").plain


def test_the_page_of_the_check(checked):
    page = checked.get("/check")
    assert "B <img src=x onerror=alert(1)> 40" in html.unescape(page.plain)
    assert "<img src=x" not in page.text
    assert "TPM or CPM" in page.plain
    assert f'name="check" value="{checked.session.check.number}"' in page.text


def test_a_check_from_another_window_starts_no_run(checked):
    answer = checked.post("/run", check=checked.session.check.number - 1)
    assert answer.status == 409
    assert "The selection has changed" in answer.plain
    assert checked.session.run is None


def test_a_cancelled_run_ends_with_all_that_it_started(checked):
    checked.post("/run", check=checked.session.check.number)
    job = checked.session.run
    checked.until(lambda: job.progress.stages)
    group = os.getpgid(job._worker._process.pid)
    assert group != os.getpgid(0)
    assert checked.post("/cancel").headers["location"] == "/run"
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)
    assert not job.task.output.parent.exists()
    page = checked.get("/run").plain
    assert "The run was cancelled" in page
    assert "Run again" in page
    assert checked.get("/download").status == 404
    assert len(checked.left()) == 2  # the uploads
    assert checked.session.ready


def test_a_run_that_the_system_ends(checked):
    checked.post("/run", check=checked.session.check.number)
    job = checked.session.run
    checked.until(lambda: job.progress.stages)
    os.kill(job._worker._process.pid, signal.SIGKILL)
    page = checked.wait("run").plain
    assert "The run failed" in page
    assert "The system ended the job (signal 9), perhaps because memory ran out" in page
    assert "Run again" in page
    checked.until(lambda: len(checked.left()) == 2)  # the uploads


def test_there_is_one_run_at_a_time(checked):
    number = checked.session.check.number
    assert checked.post("/run", check=number).headers["location"] == "/run"
    job = checked.session.run
    assert checked.post("/run", check=number).headers["location"] == "/run"  # a double click, another window
    assert checked.session.run is job
    assert checked.upload(bulk_choice="bulk:bulk.tsv").status == 409
    assert checked.post("/start-over").status == 409
    assert "A run is in progress" in checked.get("/").plain
    assert "Run in progress" in checked.get("/run").plain  # also after a reload
    checked.until(lambda: job.progress.stages)
    part = checked.get("/progress/run")
    assert part.headers["x-job-state"] == "running"
    assert "Training the model" in part.plain
    checked.post("/cancel")


def test_progress(ran):
    progress = ran.session.run.progress
    assert [stage.name for stage in progress.stages][:5] == [
        "read", "checksums", "prepare", "train", "deconvolve",
    ]  # fmt: skip
    assert all(stage.seconds is not None for stage in progress.stages)
    assert len(progress.epochs) == progress.last_epoch == 2
    assert progress.epochs[0]["val_loss"] > progress.epochs[1]["val_loss"]


def test_names_are_escaped_in_the_results(ran):
    page = ran.get("/run")
    for raw in ("<img src=x", "<script>alert", "my <cells>"):
        assert raw not in page.text
    assert "my <cells>.h5ad" in page.plain


def test_the_results_are_those_of_the_command(ran, tiny, tmp_path):
    train = TrainOptions("fast", {"train": {"max_epochs": 2}})
    reference = tiny / "reference.h5ad"
    run_files(
        [reference], tiny / "bulk.tsv", tmp_path / "out", reference_options=ReferenceOptions(), train=train
    )
    for name in ("fractions.tsv", "fractions_lower.tsv", "qc.tsv", "model/weights.safetensors"):
        assert ran.get(f"/download/{name}").content == (tmp_path / "out" / name).read_bytes()


def test_downloads(ran):
    with zipfile.ZipFile(io.BytesIO(ran.get("/download").content)) as archive:
        assert archive.testzip() is None
        names = {name.removeprefix("hpvade-results/") for name in archive.namelist()}
        assert {"fractions.tsv", "qc.tsv", "run.json", "model/weights.safetensors"} <= names
        fractions = archive.read("hpvade-results/fractions.tsv")
    alone = ran.get("/download/fractions.tsv")
    assert alone.content == fractions
    assert alone.headers["content-disposition"] == 'attachment; filename="fractions.tsv"'
    assert ran.get("/download/..%2Flock").status == 404
    assert ran.get(f"/download/{ran.session.folder}/lock").status == 404


@contextlib.contextmanager
def report_in(folder, text):
    """Replace the report among the results for a while."""
    path = folder / "report.html"
    before = path.read_bytes() if path.exists() else None
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink() if before is None else path.write_bytes(before)


def test_the_report_is_sandboxed(ran):
    with report_in(ran.session.results, "<p>report</p>"):
        page = ran.get("/run").text
        assert '<iframe src="/report"' in page
        assert 'sandbox="allow-scripts allow-downloads"' in page
        report = ran.get("/report")
        assert report.text == "<p>report</p>"
        policy = report.headers["content-security-policy"]
        assert policy.startswith("sandbox allow-scripts allow-downloads; default-src 'none';")
        assert "connect-src" not in policy
        assert report.headers["x-content-type-options"] == "nosniff"


def test_a_saved_model_from_a_zip_file(ran, files, tmp_path):
    fractions = ran.get("/download/fractions.tsv").content
    ran.upload({"reference": ("results.zip", ran.get("/download").content), "bulk": files["bulk"]})
    page = ran.wait("check").plain
    assert "Ready to run" in page
    assert "Cell types in the model B <img src=x onerror=alert(1)>, Monocyte & co, T" in page
    ran.post("/run", check=ran.session.check.number)
    assert "6 samples deconvolved" in ran.wait("run").plain
    assert ran.get("/download/fractions.tsv").content == fractions
    ran.post("/start-over")
    assert ran.left() == []
    assert ran.get("/run").status == 303


def test_the_demo(site):
    site.upload(demo=1, preset="fast")
    page = site.wait("check").plain
    assert "Ready to run" in page
    assert "Built-in demo data" in page
    answer = site.upload(bulk_choice="bulk:bulk.tsv")
    assert answer.status == 400
    assert "The demo data include bulk samples" in answer.plain
    site.post("/start-over")
