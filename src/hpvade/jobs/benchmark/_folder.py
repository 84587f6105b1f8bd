"""The output folder of a benchmark: finished estimates are kept, and a later call continues from them."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpvade._errors import FileFormatError, OutputError
from hpvade.io import is_workspace, output_file
from hpvade.jobs.benchmark._estimate import Estimate
from hpvade.jobs.benchmark._intervals import read_intervals
from hpvade.model import preset_config, versions
from hpvade.results import read_fractions, write_fractions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hpvade.jobs._train import TrainOptions
    from hpvade.jobs.benchmark._plan import Plan

ESTIMATES = "estimates"
SETTINGS = "settings.json"
RESULTS = ("results.tsv", "results.json", "results.md", "results.png", "results.svg", "run.json")
_OWN = {ESTIMATES, SETTINGS, *RESULTS}
_EXTENSIBLE = ("references", "bulk")  # parts of the settings that may hold more or less in another call
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class BenchmarkFolder:
    """Finished estimates of one benchmark.

    Each is ``estimates/NAME.tsv``, ``NAME.intervals.tsv`` if the method has intervals, and at last
    ``NAME.json``, which marks it as finished.
    """

    path: Path

    def is_done(self, name: str, *, with_intervals: bool) -> bool:
        """Whether the estimate, of a method with intervals or without, was written to its end."""
        table, intervals, facts = self._files(name)
        return table.exists() and facts.exists() and (intervals.exists() or not with_intervals)

    def write(self, name: str, estimate: Estimate) -> None:
        """Write an estimate, its facts last."""
        table, intervals, facts = self._files(name)
        with output_file(table, force=True) as partial:
            write_fractions(estimate.fractions, partial)
        if estimate.intervals is not None:
            with output_file(intervals, force=True) as partial:
                estimate.intervals.to_csv(partial, sep="\t", index=False, float_format="%.8g")
        with output_file(facts, force=True) as partial:
            partial.write_text(json.dumps(estimate.facts, indent=1) + "\n")

    def read(self, name: str) -> Estimate:
        """Read a finished estimate."""
        table, intervals, facts = self._files(name)
        bounds = read_intervals(intervals) if intervals.exists() else None
        return Estimate(read_fractions(table), read_facts(facts), bounds)

    def _files(self, name: str) -> tuple[Path, Path, Path]:
        folder = self.path / ESTIMATES
        return folder / f"{name}.tsv", folder / f"{name}.intervals.tsv", folder / f"{name}.json"


def read_facts(path: Path) -> dict[str, Any]:
    """Read the facts beside an estimate: a JSON object.

    Raises
    ------
    FileFormatError
        It is not one, or ``seconds`` or ``peak_memory_mb`` is not a number.
    """
    try:
        facts = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read ({error}). Fix or remove it."
        raise FileFormatError(msg) from error
    numbers = [facts.get(key) for key in ("seconds", "peak_memory_mb")] if isinstance(facts, dict) else [""]
    if not all(n is None or (isinstance(n, int | float) and not isinstance(n, bool)) for n in numbers):
        msg = f'{path} must contain {{"seconds": number, "peak_memory_mb": number}}. Fix or remove it.'
        raise FileFormatError(msg)
    return dict(facts)


def benchmark_settings(plan: Plan, train: TrainOptions, *, digests: Mapping[str, str]) -> dict[str, Any]:
    """Collect everything that an estimate depends on, apart from method and seed.

    ``digests``: path of each of the plan's files → its SHA-256.
    """
    config = preset_config(train.preset).updated(train.changes)
    used = {name for pair in plan.pairs for name in pair}
    references = {
        name: {
            "members": {
                member: entry.model_dump(mode="json", exclude={"path", "note"})
                | {"sha256": digests[str(entry.path)]}
                for member, entry in reference.members.items()
            },
            "labels": reference.labels,
            "coarse": reference.coarse,  # what intervals of a set's types are sums of
        }
        for name, reference in plan.references.items()
        if name in used
    }
    bulk = {
        name: {
            "unit": entry.unit,
            "sha256": digests[str(entry.path)],
            "merge": entry.merge,
            "headline_types": entry.headline_types,
        }
        for name, entry in plan.bulk.items()
        if name in used
    }
    settings = {
        "hpvade": versions()["hpvade"],
        "preset": train.preset,
        "config": config.model_dump(mode="json"),
    }
    return json.loads(json.dumps({**settings, "references": references, "bulk": bulk}))  # as it will be read


def open_folder(output: Path, settings: dict[str, Any], *, force: bool) -> BenchmarkFolder:
    """Start an output folder, or continue in one that was made with the same settings.

    Parameters
    ----------
    output
        The folder.
    settings
        As `benchmark_settings` returns them. References and sets that only one of the two calls asks for do
        not count as differences.
    force
        Whether to start again in a folder that holds only files of a benchmark.

    Raises
    ------
    OutputError
        The folder holds other files, or was made with other settings.
    """
    if output.exists() and not output.is_dir():
        msg = f"{output} is a file. Choose a folder for the output."
        raise OutputError(msg)
    present = {entry.name for entry in output.iterdir()} if output.exists() else set()
    present = {name for name in present if not is_workspace(name)}
    if foreign := sorted(present - _OWN) or (present and SETTINGS not in present):
        found = f"'{foreign[0]}'" if isinstance(foreign, list) else f"no {SETTINGS}"
        msg = f"{output} has {found}: it is not the output of hpvade benchmark. Choose another place."
        raise OutputError(msg)
    if force:
        for name in present:
            entry = output / name
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    elif present:
        settings = _merged(output / SETTINGS, settings)
    with output_file(output / SETTINGS, force=True) as partial:
        partial.write_text(json.dumps(settings, indent=1) + "\n")
    return BenchmarkFolder(output)


def _merged(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Add settings to those of an earlier call, after checking that none differs."""
    try:
        earlier = json.loads(path.read_bytes())
        merged = {**settings, **{key: {**earlier[key], **settings[key]} for key in _EXTENSIBLE}}
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} cannot be read ({error!r}). Pass --force to start over."
        raise OutputError(msg) from error
    differing = _differences(earlier, settings)
    if differing:
        more = f"; and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        msg = (
            f"{path.parent} was made with other settings: {'; '.join(differing[:_SHOWN])}{more}. Use the "
            "same settings to continue, choose another folder, or pass --force to start over."
        )
        raise OutputError(msg)
    return merged


def _differences(earlier: Any, now: Any, place: str = "") -> list[str]:  # noqa: ANN401 - JSON
    """List what differs, as ``place: earlier → now``."""
    if not (isinstance(earlier, dict) and isinstance(now, dict)):
        return [] if earlier == now else [f"{place}: {earlier!r} → {now!r}"]
    keys = dict.fromkeys([*earlier, *now])
    if place in _EXTENSIBLE:
        keys = dict.fromkeys(key for key in keys if key in earlier and key in now)
    return [
        text
        for key in keys
        for text in _differences(earlier.get(key), now.get(key), f"{place}.{key}" if place else str(key))
    ]
