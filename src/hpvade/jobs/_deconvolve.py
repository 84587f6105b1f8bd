"""A trained model and a bulk table → fractions: the job of ``hpvade deconvolve``.

A table of any length is deconvolved block by block; an interrupted run continues where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hpvade._errors import InputError, OutputError
from hpvade.deconvolve import Deconvolution, check_coverage
from hpvade.io import (
    Unfinished,
    check_output_file,
    output_dir,
    output_file,
    real_path,
    sha256,
    write_h5ad,
)
from hpvade.jobs._bulk import BulkOptions
from hpvade.jobs._report import write_report
from hpvade.jobs._unknown import NO_WORLD, load_world, read_purity
from hpvade.model import COVERAGE, Deconvolver, load, model_folder, versions
from hpvade.results import (
    FoundModel,
    Results,
    ResultTables,
    RunRecord,
    history_beside,
    keep_groups,
    own_files,
    write_deconvolution,
    write_signature,
)
from hpvade.results._files import RUN, UNKNOWN_PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from hpvade.io import BulkFile
    from hpvade.model import TrainedModel
    from hpvade.world import World

BLOCK = 256  # samples


@dataclass(frozen=True)
class OutputOptions:
    """What to estimate and to write.

    Attributes
    ----------
    coverage
        Coverage of the intervals, between 0 and 1.
    with_unknown
        Give unknown content a column; fractions then sum to 1 with it.
    world
        As for `load_world`.
    purity
        Table of the share of unknown cells, for samples where it is known.
    report
        Write the report and the files for MultiQC.
    groups
        Table of the samples' groups, for the report.
    expression
        File for the expression of each cell type in each sample.
    """

    coverage: float = COVERAGE
    with_unknown: bool = True
    world: str | None = None
    purity: Path | None = None
    report: bool = True
    groups: Path | None = None
    expression: Path | None = None

    def check(self, *, output: Path, inputs: Sequence[Path], force: bool) -> None:
        """Refuse, before anything is read, options that cannot be carried out.

        Raises
        ------
        InputError
            The coverage is out of range, or the file for expression exists without ``force``, is a folder,
            or lies in the output folder or in an input.
        """
        check_coverage(self.coverage)
        if self.purity is not None and self.world == NO_WORLD:
            msg = "--purity needs profiles, and --world none leaves them out. Pass one of the two."
            raise InputError(msg)
        if self.expression is None:
            return
        check_output_file(self.expression, force=force)
        if real_path(output).is_relative_to(real_path(self.expression)):
            msg = f"The output {output} is inside the expression file {self.expression}. Choose another name."
            raise OutputError(msg)
        for place in (output, *inputs):
            if real_path(self.expression).is_relative_to(real_path(place)):
                msg = f"The expression file {self.expression} is inside {place}. Choose another folder."
                raise OutputError(msg)

    @contextmanager
    def expression_file(self, *, force: bool) -> Iterator[Path | None]:
        """Yield a temporary name for the expression; another run cannot write that file meanwhile."""
        if self.expression is None:
            yield None
            return
        with output_file(self.expression, force=force) as file:
            yield file


class RunSummary(NamedTuple):
    """The result of a run in brief.

    Attributes
    ----------
    fractions
        Samples × cell types, and ``unknown`` if it has a column.
    half_widths
        Half of the width of each interval, samples × cell types.
    flags
        Names of the flags of each sample, lists.
    likeness
        What unknown cells resemble → number of samples, the most frequent first.
    coverage
        Coverage of the intervals.
    cell_types
        Cell types, without the column of unknown content.
    """

    fractions: pd.DataFrame
    half_widths: pd.DataFrame
    flags: pd.Series
    likeness: pd.Series
    coverage: float
    cell_types: list[str]


class TableAnswer(NamedTuple):
    """The results of a table, and what answered them."""

    tables: ResultTables
    deconvolver: Deconvolver


class Shard(NamedTuple):
    """One of several parts of a table, counted from 1."""

    number: int = 1
    n_shards: int = 1

    def block_starts(self, n_samples: int) -> range:
        """Return the first sample of each block; all shards together have the blocks of the whole table.

        Raises
        ------
        InputError
            There are fewer blocks than shards.
        """
        n_blocks = -(-n_samples // BLOCK)
        if self.n_shards > n_blocks:
            msg = f"{n_samples:,} samples, in blocks of {BLOCK}, allow at most {n_blocks} shards. Reduce N."
            raise InputError(msg)
        first, end = (n_blocks * number // self.n_shards for number in (self.number - 1, self.number))
        return range(first * BLOCK, min(end * BLOCK, n_samples), BLOCK)


def deconvolve_files(
    model_path: Path,
    bulk: Path,
    output: Path,
    *,
    bulk_options: BulkOptions | None = None,
    changes: Mapping[str, dict[str, Any]] | None = None,
    options: OutputOptions | None = None,
    shard: Shard | None = None,
    force: bool = False,
    on_stage: Callable[[str], None] = lambda _name: None,
    on_block: Callable[[str, int, int], None] = lambda _name, _done, _total: None,
) -> RunSummary:
    """Deconvolve a bulk table with a trained model.

    Parameters
    ----------
    model_path, bulk, output
        Folder of the model, bulk table, and folder for the results.
    bulk_options
        How to read the table.
    changes
        Changes to the settings of the model, section → setting → value; of section ``deconvolve`` only.
    options
        What to estimate and to write.
    shard
        The part of the table to deconvolve. Default: all.
    force
        Whether an existing output may be replaced.
    on_stage, on_block
        Called as each stage, and each block of samples, begins.
    """
    options = options or OutputOptions()
    options.check(output=output, inputs=[model_path, bulk], force=force)
    if options.groups is not None and shard is not None:
        msg = "--groups compares all samples, but a shard has only some of them. Omit --groups or --shard."
        raise InputError(msg)
    trained = load(model_path)
    if other := sorted(set(changes or {}) - {"deconvolve"}):
        msg = f"Section '{other[0]}' of a trained model cannot change; only 'deconvolve' can."
        raise InputError(msg)
    trained = replace(trained, config=trained.config.updated(changes or {}))
    place = real_path(model_folder(model_path))
    record = RunRecord(trained.settings["seed"], on_stage)
    with (
        ExitStack() as stack,
        output_dir(output, own_files=own_files, force=force, inputs=[model_path, bulk]) as folder,
        options.expression_file(force=force) as expression,
    ):
        with record.stage("read"):
            table = (bulk_options or BulkOptions()).open(bulk, var=trained.gene_names)
            samples = stack.enter_context(table)
            groups = read_sample_groups(options, folder, samples)
        with record.stage("checksums"):
            record.inputs[str(model_path)] = sha256(place)
            record.add_input(bulk)
            record.decisions["model"] = str(place)
        answer = deconvolve_table(
            trained,
            samples,
            folder,
            model_sha256=record.inputs[str(model_path)],
            record=record,
            options=options,
            shard=shard,
            on_block=on_block,
        )
        return finish(
            answer,
            folder,
            expression=expression,
            bulk=samples,
            shard=shard,
            model=FoundModel(trained, history_beside(place)),
            groups=groups,
            record=record,
            options=options,
        )


def deconvolve_table(
    trained: TrainedModel,
    bulk: BulkFile,
    folder: Path,
    *,
    model_sha256: str,
    record: RunRecord,
    options: OutputOptions,
    shard: Shard | None = None,
    on_block: Callable[[str, int, int], None] = lambda _name, _done, _total: None,
) -> TableAnswer:
    """Deconvolve a table; write the files of `write_deconvolution`, and what unknown cells resemble.

    Parameters
    ----------
    trained, bulk
        The model, and the open table.
    folder
        Where to write, as `output_dir` yields it. The finished part of an interrupted run is kept.
    model_sha256
        Checksum of the model's folder. Together with the inputs in the record it decides whether a finished
        part belongs to the same run.
    record
        Takes timings and decisions.
    options
        What to estimate.
    shard
        The part of the table to deconvolve. Default: all.
    on_block
        Called as each block begins: what is done with it, how many are done, and of how many.
    """
    shard = shard or Shard()
    starts = shard.block_starts(bulk.n_obs)
    coverage, with_unknown = options.coverage, options.with_unknown
    world, purity = load_unknown_inputs(options, bulk)
    if options.purity is not None:
        record.add_input(options.purity)
    settings = trained.config.deconvolve.model_dump(mode="json")
    record.decisions |= {"bulk": bulk.facts, "model_sha256": model_sha256, "deconvolve": settings}
    record.decisions |= {"coverage": coverage, "with_unknown": with_unknown}
    record.decisions["world"] = options.world or "Human Protein Atlas"
    record.decisions["purity"] = None if options.purity is None else str(options.purity)
    if options.world not in (None, NO_WORLD):
        record.add_input(Path(str(options.world)))
    if shard.n_shards > 1:
        record.decisions["shard"] = list(shard)
    key = _digest(
        model_sha256,
        *record.inputs.values(),
        bulk.facts,
        settings,
        coverage,
        with_unknown,
        options.world,
        shard,
    )
    files = Unfinished.beside(folder, key=key)
    n_earlier = record.decisions["blocks_of_an_earlier_run"] = files.done
    with record.stage("deconvolve"):
        blocks = (bulk.block(start, min(start + BLOCK, starts.stop)) for start in starts[n_earlier:])
        answers = []
        deconvolver = Deconvolver(
            trained,
            bulk.representative_samples(),
            coverage=coverage,
            with_unknown=with_unknown,
            world=world,
            purity=purity,
        )
        results = deconvolver.answers(blocks)
        with closing(results):
            for done in range(n_earlier, len(starts)):
                on_block("blocks of samples", done, len(starts))
                answer = next(results)
                write_deconvolution(answer, files.folder, append=done > 0)
                files.save(done + 1)
                # Covariances would take the most memory, and are not written.
                answers.append(replace(answer, covariance=answer.covariance[:, :0, :0]))
        files.copy_to(folder)
    if n_earlier:  # an earlier run wrote the first samples
        tables = ResultTables.read(folder)
    else:
        tables = ResultTables.from_deconvolution(Deconvolution.concatenate(answers))
    profiles = deconvolver.unknown_profiles(tables.qc["unknown_like"])
    if profiles.shape[1]:
        write_signature(profiles, folder / UNKNOWN_PROFILES)
    record.decisions["looked_for"] = deconvolver.looked_for
    record.decisions["noise_floor"] = deconvolver.config.noise_floor
    # There is no column where no profile matches the reference.
    record.decisions["with_unknown"] = tables.fractions.shape[1] > len(trained.cell_types)
    record.decisions["genes_used"] = int(tables.qc["genes_used"].iloc[0])
    return TableAnswer(tables, deconvolver)


def finish(
    answer: TableAnswer,
    folder: Path,
    *,
    expression: Path | None,
    bulk: BulkFile,
    shard: Shard | None = None,
    model: FoundModel,
    groups: pd.Series | None,
    record: RunRecord,
    options: OutputOptions,
) -> RunSummary:
    """Write expression, report and the record of the run, the last files of the output."""
    if expression is not None:
        with record.stage("expression"):
            starts = (shard or Shard()).block_starts(bulk.n_obs)
            samples = bulk.block(starts.start, starts.stop)
            table = answer.deconvolver.expression(samples, answer.tables.fractions)
            write_h5ad(table, expression, compression="gzip")
    results = Results.combine(answer.tables, run=record.to_dict(), model=model, groups=groups)
    if options.report:
        with record.stage("report"):
            write_report(results, folder)
    record.write(folder / RUN)
    return RunSummary(
        results.fractions,
        results.half_widths,
        results.qc["flags"],
        results.likeness,
        options.coverage,
        [str(name) for name in results.known],
    )


def read_sample_groups(options: OutputOptions, folder: Path, bulk: BulkFile) -> pd.Series | None:
    """Read the groups of a table's samples, and keep a copy with the results; None without groups."""
    return None if options.groups is None else keep_groups(options.groups, folder, samples=bulk.obs_names)


def load_unknown_inputs(options: OutputOptions, bulk: BulkFile) -> tuple[World | None, pd.Series | None]:
    """Read the profiles of what the reference may lack, and the purity of samples where it is given."""
    purity = None if options.purity is None else read_purity(options.purity, samples=bulk.obs_names)
    return load_world(options.world), purity


def check_table(bulk: BulkFile) -> None:
    """Read a table to its end, so that errors in it are reported before a model is trained for it.

    Raises
    ------
    InputError
        As `hpvade.io.read_bulk` says.
    """
    starts = Shard().block_starts(bulk.n_obs)
    for start in starts:
        bulk.block(start, min(start + BLOCK, starts.stop))


def _digest(*parts: object) -> str:
    """Digest of everything that the results depend on."""
    return hashlib.sha256(json.dumps([*parts, BLOCK, versions()]).encode()).hexdigest()
