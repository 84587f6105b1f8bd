"""Bulk in, fractions out, over files: with a model that exists, or from a reference in one go."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from hpvade._errors import InputError
from hpvade.io import open_bulk, output_dir, sha256
from hpvade.jobs._blocks import RunSummary, Shard, check_table, deconvolve_table
from hpvade.jobs._deconvolve import check_expression_path, write_expression
from hpvade.jobs._references import ReferenceOptions, load_references
from hpvade.jobs._report import add_report, keep_groups
from hpvade.jobs._train import TrainOptions, train_model, write_model
from hpvade.model import HPVADE, model_folder
from hpvade.results import own_files
from hpvade.results._run_record import RUN, RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hpvade._types import BulkUnit
    from hpvade.io import BulkFile


class OutputOptions(NamedTuple):
    """What to make beside the tables of fractions.

    ``report``: the page and files for MultiQC. ``groups``: a table of the samples' groups, for the report.
    ``expression``: a file for what each type expresses in each sample.
    """

    report: bool = True
    groups: Path | None = None
    expression: Path | None = None


def deconvolve_files(
    model_path: Path,
    bulk: Path,
    output: Path,
    *,
    bulk_unit: BulkUnit = "auto",
    changes: Mapping[str, dict[str, Any]] | None = None,
    extras: OutputOptions | None = None,
    shard: Shard | None = None,
    force: bool = False,
    on_stage: Callable[[str], None] = lambda _name: None,
    on_block: Callable[[str, int, int], None] = lambda _name, _done, _total: None,
) -> RunSummary:
    """Deconvolve a bulk table with a trained model: the job of ``hpvade deconvolve``.

    ``changes`` to the model's settings may touch the section ``deconvolve`` only. ``shard`` and ``on_block``
    are as for `deconvolve_table`.
    """
    extras = extras or OutputOptions()
    if extras.expression is not None:
        check_expression_path(extras.expression, output=output, inputs=[model_path, bulk], force=force)
    if extras.groups is not None and shard is not None:
        msg = "Groups are compared over all samples, and a shard has only some. Leave --groups out."
        raise InputError(msg)
    model = HPVADE.load(model_path)
    if other := sorted(set(changes or {}) - {"deconvolve"}):
        msg = f"A trained model's section '{other[0]}' cannot change; only 'deconvolve' can."
        raise InputError(msg)
    model.config = model.config.updated(changes or {})
    record = RunRecord(model.settings["seed"], on_stage)
    with ExitStack() as stack:
        with output_dir(output, own_files=own_files, force=force, inputs=[model_path, bulk]) as folder:
            with record.stage("read"):
                samples = stack.enter_context(open_bulk(bulk, unit=bulk_unit, genes=model.gene_names()))
                if extras.groups is not None:
                    keep_groups(extras.groups, folder, samples=samples.obs_names)
            with record.stage("checksums"):
                place = model_folder(model_path).resolve()
                record.inputs[str(model_path)] = sha256(place)
                record.add_input(bulk)
                record.decisions["model"] = str(place)
            answered = deconvolve_table(
                model,
                samples,
                folder,
                output=output,
                model_sha256=record.inputs[str(model_path)],
                record=record,
                shard=shard,
                on_block=on_block,
            )
            record.write(folder / RUN)
        blocks = (shard or Shard()).blocks_of(samples.n_obs)
        of_shard = slice(blocks.start, blocks.stop)
        _make_extras(
            extras, output, model=model, bulk=samples, shown=of_shard, answered=answered, record=record
        )
    return answered


def run_files(
    references: Sequence[Path],
    bulk: Path,
    output: Path,
    *,
    bulk_unit: BulkUnit = "auto",
    options: ReferenceOptions | None = None,
    train: TrainOptions | None = None,
    extras: OutputOptions | None = None,
    seed: int = 0,
    force: bool = False,
    on_stage: Callable[[str], None] = lambda _name: None,
) -> RunSummary | None:
    """Validate, train, deconvolve and report: the job of ``hpvade run``.

    Returns
    -------
    The answer, or None after Ctrl-C: the best model so far is then written without fractions.
    """
    extras = extras or OutputOptions()
    if extras.expression is not None:
        check_expression_path(extras.expression, output=output, inputs=[*references, bulk], force=force)
    record = RunRecord(seed, on_stage)
    with ExitStack() as stack:
        with output_dir(output, own_files=own_files, force=force, inputs=[*references, bulk]) as folder:
            record.keep_in(folder)
            with record.stage("read"):
                reference = load_references(references, options=options or ReferenceOptions())
                samples = stack.enter_context(open_bulk(bulk, unit=bulk_unit, genes=reference.var_names))
                check_table(samples)
                some = samples.representative_samples()
                if extras.groups is not None:
                    keep_groups(extras.groups, folder, samples=samples.obs_names)
            with record.stage("checksums"):
                for path in [*references, bulk]:
                    record.add_input(path)
            model, finished = train_model(
                reference, bulk=some, options=train or TrainOptions(), record=record, folder=folder
            )
            write_model(model, folder)
            answered = None
            if finished:
                answered = deconvolve_table(
                    model,
                    samples,
                    folder,
                    output=output,
                    model_sha256=sha256(folder / "model"),
                    record=record,
                )
            record.write(folder / RUN)
        if answered is not None:
            every = slice(0, samples.n_obs)
            _make_extras(
                extras, output, model=model, bulk=samples, shown=every, answered=answered, record=record
            )
    return answered


def _make_extras(
    extras: OutputOptions,
    output: Path,
    *,
    model: HPVADE,
    bulk: BulkFile,
    shown: slice,
    answered: RunSummary,
    record: RunRecord,
) -> None:
    """Make them when the output is in place: whatever happens to them, the fractions are there."""
    if extras.expression is not None:
        with record.stage("expression"):
            samples = bulk.block(shown.start, shown.stop)
            write_expression(model, samples, answered.fractions, extras.expression)
    if extras.report:
        add_report(output, record=record)
