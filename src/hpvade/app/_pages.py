"""The pages: their values and their texts. The templates escape every name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import jinja2

from hpvade._formats import BULK_FORMATS, REFERENCE_FORMATS, titles
from hpvade._titles import STAGE_TITLES, UNIT_TITLES, described_facts
from hpvade.app._formatting import format_duration
from hpvade.app._selection import PRESETS, UNITS
from hpvade.app._uploads import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpvade.app._job import Job, Stage
    from hpvade.app._session import Session

_N_EPOCHS = 5  # that are shown

_JOB_STAGES: Final = {
    "reference": ("read", "checksums", "prepare", "train", "deconvolve", "report"),
    "model": ("read", "checksums", "deconvolve", "report"),
    "demo": ("read", "prepare", "train", "deconvolve", "report"),
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
            "reference_formats": titles(
                [known for known in REFERENCE_FORMATS if known.name in {"h5ad", "h5mu", "10x h5"}]
            ),
            "bulk_formats": titles([known for known in BULK_FORMATS if known.name != "zarr"]),
            "endings": {what: ",".join(endings) for what, endings in ENDINGS.items()},
            "max_upload_bytes": max_upload_bytes,
            "units": {unit: UNIT_TITLES[unit] for unit in UNITS},
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
            "small_tables": [source for source in sources if source.kind == "small_table"],
            "columns": self._columns(),
        }

    def _columns(self) -> list[str]:
        check = self.session.check
        return list(check.result["columns"]) if check is not None and check.state == "done" else []


def report_values(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the page of a check."""
    return {
        "ok": report["ok"],
        "errors": [problem["message"] for problem in report["errors"]],
        "warnings": [problem["message"] for problem in report["warnings"]],
        "facts": described_facts(report["facts"]),
    }


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
    return {"title": STAGE_TITLES.get(name, name), "state": state, "seconds": seconds}
