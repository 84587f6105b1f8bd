"""What the pages show, and how it is written out; every name is escaped by the templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import jinja2

from hpvade._duration import duration
from hpvade.app._choices import PRESETS, UNITS
from hpvade.app._uploads import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpvade.app._job import Job
    from hpvade.app._session import Session

_SHOWN_EPOCHS = 5

_STAGES: Final = {
    "read": "Read the files",
    "checksums": "Note their checksums",
    "prepare": "Prepare the reference",
    "train": "Train the model",
    "deconvolve": "Estimate the fractions",
    "report": "Write the report",
}
_STAGES_OF: Final = {
    "reference": ("read", "checksums", "prepare", "train", "deconvolve", "report"),
    "model": ("read", "checksums", "deconvolve", "report"),
    "demo": ("read", "prepare", "train", "deconvolve", "report"),
}
_FACTS: Final = {
    "n_cells": "Cells",
    "n_cells_kept": "Cells kept in memory",
    "n_genes": "Genes of the reference",
    "counts_found_in": "Counts found in",
    "median_counts_per_cell": "Median counts of a cell",
    "cell_types": "Cell types",
    "donors": "Donors",
    "model_cell_types": "Cell types of the model",
    "model_genes": "Genes of the model",
    "shared_genes": "Shared genes",
    "shared_genes_share": "Share of the genes that the bulk has",
    "n_samples": "Bulk samples",
    "n_bulk_genes": "Genes of the bulk",
    "unit": "Unit of the bulk",
    "unit_given_or_detected": "That unit was",
    "orientation": "Orientation of the table",
    "format": "Format of the table",
}
_UNIT_NAMES: Final = {
    "auto": "find out",
    "counts": "counts",
    "tpm": "TPM",
    "cpm": "CPM",
    "fpkm": "FPKM",
    "log2": "log2 of any of these",
    "microarray": "microarray intensities",
}
_PRESET_NAMES: Final = {"default": "Default, the accurate one", "fast": "Fast, to try things out"}


class Pages:
    """Writes the pages about a session.

    Parameters
    ----------
    session
        What they are about.
    most_bytes
        Of one upload.
    """

    def __init__(self, session: Session, *, most_bytes: int) -> None:
        self.session = session
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("hpvade.app", "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"duration": duration}
        self._environment.globals |= {
            "session": session,
            "endings": {what: ",".join(endings) for what, endings in ENDINGS.items()},
            "most_bytes": most_bytes,
            "units": {unit: _UNIT_NAMES[unit] for unit in UNITS},
            "presets": {preset: _PRESET_NAMES[preset] for preset in PRESETS},
        }

    def write(self, page: str, **values: Any) -> str:  # noqa: ANN401
        """Write a page."""
        return self._environment.get_template(f"{page}.html.j2").render(values)

    def form(self) -> dict[str, Any]:
        """Return what the form shows."""
        sources = self.session.sources()
        return {
            "choices": self.session.choices,
            "references": [source for source in sources if source.kind == "reference"],
            "models": [source for source in sources if source.kind == "model"],
            "bulks": [source for source in sources if source.kind == "bulk"],
            "label_maps": [source for source in sources if source.kind == "label_map"],
            "columns": self._columns(),
        }

    def _columns(self) -> list[str]:
        check = self.session.check
        return list(check.answer["columns"]) if check is not None and check.state == "done" else []


def report_values(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page of a check shows of its report."""
    facts = {name: fact for name, fact in answer["facts"].items() if fact is not None and fact != "unknown"}
    return {
        "ok": answer["ok"],
        "errors": [problem["message"] for problem in answer["errors"]],
        "warnings": [problem["message"] for problem in answer["warnings"]],
        "facts": [
            (_FACTS.get(name, name.replace("_", " ")), _fact(name, fact)) for name, fact in facts.items()
        ],
    }


def _fact(name: str, fact: Any) -> Any:  # noqa: ANN401 - what a report holds
    """Write a fact for people; a mapping stays one."""
    if name.endswith("_share"):
        return f"{fact:.1%}"
    if isinstance(fact, int | float):
        return f"{fact:,.0f}".replace(",", "\u2009")
    return fact


def progress_values(job: Job, now: float) -> dict[str, Any]:
    """Return what the page of a job that goes on shows of it."""
    progress = job.progress
    known = _STAGES_OF[job.task.choices.reference.kind] if job.task.choices.reference else ()
    told = {stage.name: stage for stage in progress.stages}
    names = [*told, *(name for name in known if name not in told)] if job.task.kind == "run" else []
    return {
        "seconds": job.seconds,
        "stages": [
            {
                "title": _STAGES.get(name, name),
                "state": "waiting"
                if name not in told
                else "done"
                if told[name].seconds is not None
                else "now",
                "seconds": told[name].seconds if name in told else None,
            }
            for name in names
        ],
        "training": bool(progress.stages) and progress.stages[-1].name == "train",
        "epochs": progress.epochs[-_SHOWN_EPOCHS:],
        "n_epochs": len(progress.epochs),
        "last_epoch": progress.last_epoch,
        "seconds_left": progress.seconds_left(now),
        "block": progress.block,
        "notes": progress.notes,
    }
