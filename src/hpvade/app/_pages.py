"""The pages: their values and their texts. The templates escape every name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import jinja2

from hpvade.app._formatting import format_duration
from hpvade.app._selection import PRESETS, UNITS
from hpvade.app._uploads import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpvade.app._job import Job, Stage
    from hpvade.app._session import Session

_N_EPOCHS = 5  # that are shown

_STAGES: Final = {
    "read": "Read the files",
    "checksums": "Compute checksums",
    "prepare": "Prepare the reference",
    "train": "Train the model",
    "deconvolve": "Estimate the fractions",
    "report": "Write the report",
}
_JOB_STAGES: Final = {
    "reference": ("read", "checksums", "prepare", "train", "deconvolve", "report"),
    "model": ("read", "checksums", "deconvolve", "report"),
    "demo": ("read", "prepare", "train", "deconvolve", "report"),
}
_FACTS: Final = {
    "n_cells": "Cells",
    "n_cells_kept": "Cells kept in memory",
    "n_genes": "Genes in the reference",
    "counts_found_in": "Counts found in",
    "median_counts_per_cell": "Median counts per cell",
    "cell_types": "Cell types",
    "donors": "Donors",
    "model_cell_types": "Cell types in the model",
    "model_genes": "Genes in the model",
    "shared_genes": "Shared genes",
    "shared_genes_share": "Reference genes in the bulk",
    "n_samples": "Bulk samples",
    "n_bulk_genes": "Genes in the bulk",
    "unit": "Bulk unit",
    "unit_given_or_detected": "Unit source",
    "orientation": "Table orientation",
    "format": "Table format",
}
_UNIT_NAMES: Final = {
    "auto": "detect automatically",
    "counts": "counts",
    "tpm": "TPM",
    "tpm/cpm": "TPM or CPM",
    "cpm": "CPM",
    "fpkm": "FPKM",
    "log2": "log2-transformed",
    "microarray": "microarray intensity",
}
_PRESET_NAMES: Final = {"default": "Default (most accurate)", "fast": "Fast (for a first look)"}
_METRICS: Final = {
    "method": "Method",
    "r_type": "Mean r per cell type",
    "ccc_type": "Mean CCC per cell type",
    "r": "Pooled r",
    "ccc": "Pooled CCC",
    "rmse": "Pooled RMSE",
}


class Pages:
    """The pages of a session.

    Parameters
    ----------
    session
        The selection and the jobs that the pages show.
    max_upload_bytes
        Maximum total size of the files of one upload.
    """

    def __init__(self, session: Session, *, max_upload_bytes: int) -> None:
        self.session = session
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("hpvade.app", "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"duration": format_duration}
        self._environment.globals |= {
            "session": session,
            "endings": {what: ",".join(endings) for what, endings in ENDINGS.items()},
            "max_upload_bytes": max_upload_bytes,
            "units": {unit: _UNIT_NAMES[unit] for unit in UNITS},
            "presets": {preset: _PRESET_NAMES[preset] for preset in PRESETS},
            "metrics": _METRICS,
        }

    def write(self, page: str, **values: Any) -> str:  # noqa: ANN401
        """Write a page."""
        return self._environment.get_template(f"{page}.html.j2").render(values)

    def form(self) -> dict[str, Any]:
        """Return the values of the form."""
        sources = self.session.sources()
        return {
            "selection": self.session.selection,
            "references": [source for source in sources if source.kind == "reference"],
            "models": [source for source in sources if source.kind == "model"],
            "bulks": [source for source in sources if source.kind == "bulk"],
            "label_maps": [source for source in sources if source.kind == "label_map"],
            "columns": self._columns(),
        }

    def _columns(self) -> list[str]:
        check = self.session.check
        return list(check.result["columns"]) if check is not None and check.state == "done" else []


def report_values(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the page of a check."""
    facts = {name: fact for name, fact in report["facts"].items() if fact is not None and fact != "unknown"}
    return {
        "ok": report["ok"],
        "errors": [problem["message"] for problem in report["errors"]],
        "warnings": [problem["message"] for problem in report["warnings"]],
        "facts": [
            (_FACTS.get(name, name.replace("_", " ")), _fact(name, fact)) for name, fact in facts.items()
        ],
    }


def _fact(name: str, fact: Any) -> Any:  # noqa: ANN401 - what a report holds
    """Return a fact as text; a mapping of names to numbers stays a mapping."""
    if name == "unit":
        return _UNIT_NAMES.get(fact, fact)
    if name == "orientation":
        return fact.replace(" x ", " \N{MULTIPLICATION SIGN} ")
    if name.endswith("_share"):
        return f"{fact:.1%}"
    if isinstance(fact, int | float):
        return f"{fact:,.0f}"
    if isinstance(fact, dict):
        return {key: f"{n:,}" for key, n in fact.items()}
    return fact


def progress_values(job: Job, now: float) -> dict[str, Any]:
    """Return the values of the page of a running job."""
    progress, reference = job.progress, job.task.selection.reference
    started = {stage.name: stage for stage in progress.stages}
    planned = _JOB_STAGES[reference.kind] if reference else ()
    names = [*started, *(name for name in planned if name not in started)] if job.task.kind == "run" else []
    return {
        "seconds": job.seconds,
        "stages": [_stage(name, started.get(name)) for name in names],
        "epochs": progress.epochs[-_N_EPOCHS:],
        "n_epochs": len(progress.epochs),
        "last_epoch": progress.last_epoch,
        "seconds_left": progress.seconds_left(now),
        "block": progress.block,
        "warnings": progress.warnings,
    }


def _stage(name: str, stage: Stage | None) -> dict[str, Any]:
    seconds = stage and stage.seconds
    state = "waiting" if stage is None else "current" if seconds is None else "done"
    return {"title": _STAGES.get(name, name), "state": state, "seconds": seconds}
