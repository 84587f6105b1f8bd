"""All methods with all references on all sets of a manifest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import HPVADEError, InputError
from hpvade._process import in_own_process
from hpvade.datasets import read_manifest
from hpvade.io import output_file
from hpvade.jobs._train import TrainOptions
from hpvade.jobs.benchmark._columns import COLUMNS, MEAN, POOLED
from hpvade.jobs.benchmark._fit import Task, estimate
from hpvade.jobs.benchmark._folder import benchmark_settings, open_folder
from hpvade.jobs.benchmark._peers import find_peers
from hpvade.jobs.benchmark._plan import METHOD_NAMES, MODEL, benchmark_references, check_names, make_plan
from hpvade.jobs.benchmark._score import score, summarise
from hpvade.jobs.benchmark._summary import Benchmark, write_results
from hpvade.model import versions
from hpvade.results import RunRecord, read_fractions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hpvade.datasets import Manifest
    from hpvade.jobs.benchmark._folder import BenchmarkFolder
    from hpvade.jobs.benchmark._plan import Plan

DEFAULT_METHODS = (MODEL, "nnls", "em", "svr", "mean")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOptions:
    """What to compare.

    Attributes
    ----------
    methods
        Of `METHOD_NAMES`.
    references, datasets
        Names in the manifest; empty takes all. ``"all"`` is all references together.
    leave_out
        Coarse types, several joined by ``+``, without which each reference is used too.
    seeds
        Seeds of the model. Baselines depend on a seed only by the choice of genes, and use the first.
    estimates
        A folder with estimates of other tools; see `find_peers`.
    bootstrap_seed
        Seed of the bounds.
    threads
        Processor threads of each estimate; None leaves all.
    """

    methods: Sequence[str] = DEFAULT_METHODS
    references: Sequence[str] = ()
    datasets: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    seeds: Sequence[int] = (0, 1, 2)
    estimates: Path | None = None
    bootstrap_seed: int = 0
    threads: int | None = None


def benchmark_files(
    data: Path,
    output: Path,
    *,
    options: BenchmarkOptions | None = None,
    train: TrainOptions | None = None,
    force: bool = False,
    on_stage: Callable[[str], None] = lambda _name: None,
    on_task: Callable[[str, int, int], None] = lambda _name, _done, _total: None,
    on_pair: Callable[[str], None] = lambda _text: None,
) -> Benchmark:
    """Compare methods on all sets of a manifest: the job of ``hpvade benchmark``.

    Each estimate is made in a process of its own and is complete or absent, so that a later call with the
    same settings continues where this one ended.

    Parameters
    ----------
    data
        A manifest, or a folder with one.
    output
        Folder for the estimates and the results.
    options, train
        What to compare, and how to train.
    force
        Whether to start again.
    on_stage
        Called with the name of each stage as it begins.
    on_task
        Called before each estimate with its name, how many are done, and how many there are.
    on_pair
        Called with a line on each finished pair of reference and set.

    Raises
    ------
    InputError
        The manifest, a file or an option cannot be used, or ``output`` has other settings.
    """
    options, train = options or BenchmarkOptions(), train or TrainOptions()
    record = RunRecord(options.seeds[0] if options.seeds else 0, on_stage)
    with record.stage("read"):
        _check_options(options, train)
        manifest = read_manifest(data)
        plan = make_plan(
            manifest,
            references=options.references,
            datasets=options.datasets,
            leave_out=options.leave_out,
        )
        truths = {dataset: _read_truth(plan, dataset) for dataset in {d for _, d in plan.pairs}}
        scores = _score_peers(plan, truths, manifest=manifest, options=options)
    with record.stage("checksums"):
        for path in plan.files():
            record.add_input(path)
        folder = open_folder(output, benchmark_settings(plan, train, digests=record.inputs), force=force)
    with record.stage("estimate"):
        tasks, failures = _tasks(plan, options=options, train=train), []
        for done, task in enumerate(tasks):
            on_task(task.name, done, len(tasks))
            try:
                scores.append(_scored(task, folder, truths[task.dataset], options=options))
            except HPVADEError as error:
                failures.append(f"Failed {task.name}: {error}")
                on_pair(failures[-1])
                if len(failures) == len(tasks):
                    raise
                continue
            if done + 1 == len(tasks) or _pair(tasks[done + 1]) != _pair(task):
                on_pair(_line(pd.concat(scores), *_pair(task)))
    with record.stage("results"):
        table = _in_order(pd.concat(scores, ignore_index=True), plan, options)
        result = Benchmark(table, summarise(table), [*plan.notes, *failures])
        record.decisions |= {"methods": list(dict.fromkeys(table["method"])), "seeds": list(options.seeds)}
        record.decisions |= {"pairs": [list(pair) for pair in plan.pairs], "skipped": list(result.notes)}
        write_results(result, output, heading=_heading(options, train))
    with output_file(output / "run.json", force=True) as partial:
        record.write(partial)
    return result


def _check_options(options: BenchmarkOptions, train: TrainOptions) -> None:
    check_names(options.methods, METHOD_NAMES, what="method")
    for what, given in (("method", options.methods), ("seed", options.seeds)):
        if not given:
            msg = f"No {what} to compare. Name at least one."
            raise InputError(msg)
        if len(set(given)) < len(given):
            msg = f"A {what} is given more than once: {', '.join(map(str, given))}."
            raise InputError(msg)


def _read_truth(plan: Plan, dataset: str) -> pd.DataFrame:
    entry = plan.bulk[dataset]
    truth = read_fractions(entry.truth)
    for name in entry.headline_types:
        check_names(entry.truth_types[name], truth.columns, what=f"column of {entry.truth} called")
    check_names(entry.unknown, truth.columns, what=f"column of {entry.truth} called")
    return truth


def _score_peers(
    plan: Plan, truths: dict[str, pd.DataFrame], *, manifest: Manifest, options: BenchmarkOptions
) -> list[pd.DataFrame]:
    """Score the estimates of other tools that belong to a pair of the plan."""
    if options.estimates is None:
        return []
    known = benchmark_references(manifest)
    return [
        score(
            peer.read(),
            truths[peer.dataset],
            reference=plan.references[peer.reference],
            dataset=peer.dataset,
            entry=plan.bulk[peer.dataset],
            method=peer.method,
            seed=peer.seed,
            bootstrap_seed=options.bootstrap_seed,
        )
        for peer in find_peers(options.estimates, references=known, datasets=manifest.bulk)
        if (peer.reference, peer.dataset) in plan.pairs
    ]


def _tasks(plan: Plan, *, options: BenchmarkOptions, train: TrainOptions) -> list[Task]:
    """List what to estimate, pair by pair."""
    return [
        Task(
            reference=plan.references[reference],
            dataset=dataset,
            bulk=plan.bulk[dataset],
            method=method,
            seed=seed,
            train=train,
            threads=options.threads,
        )
        for reference, dataset in plan.pairs
        for method in options.methods
        for seed in (options.seeds if method == MODEL else options.seeds[:1])
    ]


def _scored(
    task: Task, folder: BenchmarkFolder, truth: pd.DataFrame, *, options: BenchmarkOptions
) -> pd.DataFrame:
    """Make an estimate unless it is finished, and score it."""
    _make(task, folder)
    return score(
        folder.read(task.name),
        truth,
        reference=task.reference,
        dataset=task.dataset,
        entry=task.bulk,
        method=task.method,
        seed=task.seed,
        bootstrap_seed=options.bootstrap_seed,
    )


def _make(task: Task, folder: BenchmarkFolder) -> None:
    """Make an estimate unless it is finished."""
    if folder.is_done(task.name, with_intervals=task.method == MODEL):
        return
    try:
        folder.write(task.name, in_own_process(estimate, task))
    except HPVADEError as error:
        kind = InputError if isinstance(error, InputError) else HPVADEError
        msg = f"{task.name}: {error} Finished estimates are kept."
        raise kind(msg) from error


def _pair(task: Task) -> tuple[str, str]:
    return task.reference.name, task.dataset


def _line(table: pd.DataFrame, reference: str, dataset: str) -> str:
    """Describe the accuracy of each method on a pair in one line."""
    here = table[(table["reference"] == reference) & (table["dataset"] == dataset)]
    parts = []
    for method, rows in here.groupby("method", sort=False):
        r_type = rows.loc[rows["scope"] == MEAN, "r"].mean()
        ccc = rows.loc[rows["scope"] == POOLED, "ccc"].mean()
        parts.append(f"{method} {'undefined' if pd.isna(r_type) else f'{r_type:.2f}'}/{ccc:.2f}")
    return f"{reference}, {dataset} (r_type/CCC): {', '.join(parts)}"


def _in_order(table: pd.DataFrame, plan: Plan, options: BenchmarkOptions) -> pd.DataFrame:
    """Sort rows as the plan lists pairs and the options methods; peers last, in the order of their names."""
    pairs = {pair: i for i, pair in enumerate(plan.pairs)}
    methods = {m: i for i, m in enumerate(dict.fromkeys([*options.methods, *sorted(set(table["method"]))]))}
    place = [pairs[pair] for pair in zip(table["reference"], table["dataset"], strict=True)]
    keyed = table.assign(_pair=place, _method=table["method"].map(methods))
    return keyed.sort_values(["_pair", "_method", "seed"], kind="stable", ignore_index=True)[COLUMNS]


def _heading(options: BenchmarkOptions, train: TrainOptions) -> str:
    changed = json.dumps(train.changes) if train.changes else "unchanged"
    seeds = ", ".join(map(str, options.seeds))
    return f"hpvade {versions()['hpvade']}, preset {train.preset} ({changed}), seeds {seeds}."
