"""Bulk in, fractions out, over files: with a model that exists, or from a reference in one go."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from hpvade._errors import InputError
from hpvade.io import open_bulk, output_dir, sha256
from hpvade.model import HPVADE
from hpvade.workflow._blocks import Answered, Shard, check_table, deconvolve_table
from hpvade.workflow._deconvolve import check_expression_path, write_expression
from hpvade.workflow._record import RUN, RunRecord
from hpvade.workflow._reference import ReferenceOptions, load_references
from hpvade.workflow._train import TrainOptions, train_model, write_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hpvade._types import BulkUnit


def deconvolve_files(
    model_folder: Path,
    bulk: Path,
    output: Path,
    *,
    bulk_unit: BulkUnit = "auto",
    changes: Mapping[str, dict[str, Any]] | None = None,
    expression: Path | None = None,
    shard: Shard | None = None,
    force: bool = False,
    on_stage: Callable[[str], None] = lambda _name: None,
    on_block: Callable[[str, int, int], None] = lambda _name, _done, _total: None,
) -> Answered:
    """Deconvolve a bulk table with a trained model: the job of ``hpvade deconvolve``.

    ``changes`` to the model's settings may touch the section ``deconvolve`` only. ``expression`` names a file
    for what each type expresses in each sample. ``shard`` and ``on_block`` are as for `deconvolve_table`.
    """
    if expression is not None:
        check_expression_path(expression, output=output, inputs=[model_folder, bulk], force=force)
    model = HPVADE.load(model_folder)
    if other := sorted(set(changes or {}) - {"deconvolve"}):
        msg = f"A trained model's section '{other[0]}' cannot change; only 'deconvolve' can."
        raise InputError(msg)
    model.config = model.config.updated(changes or {})
    record = RunRecord(model.settings["seed"], on_stage)
    with ExitStack() as stack:
        with output_dir(output, force=force, inputs=[model_folder, bulk]) as folder:
            with record.stage("read"):
                samples = stack.enter_context(open_bulk(bulk, unit=bulk_unit, genes=model.gene_names()))
            with record.stage("checksums"):
                record.add_input(model_folder)
                record.add_input(bulk)
            answered = deconvolve_table(
                model,
                samples,
                folder,
                output=output,
                model_sha256=record.inputs[str(model_folder)],
                record=record,
                shard=shard,
                on_block=on_block,
            )
            record.write(folder / RUN)
        if expression is not None:  # whatever happens to it, the fractions are there
            with record.stage("expression"):
                blocks = (shard or Shard()).blocks_of(samples.n_obs)
                of_shard = samples.block(blocks.start, blocks.stop)
                write_expression(model, of_shard, answered.fractions, expression)
    return answered


def run_files(
    references: Sequence[Path],
    bulk: Path,
    output: Path,
    *,
    bulk_unit: BulkUnit = "auto",
    options: ReferenceOptions | None = None,
    train: TrainOptions | None = None,
    seed: int = 0,
    force: bool = False,
    on_stage: Callable[[str], None] = lambda _name: None,
) -> Answered | None:
    """Validate, train and deconvolve: the job of ``hpvade run``.

    Returns
    -------
    The answer, or None after Ctrl-C: the best model so far is then written without fractions.
    """
    record = RunRecord(seed, on_stage)
    with ExitStack() as stack, output_dir(output, force=force, inputs=[*references, bulk]) as folder:
        record.keep_in(folder)
        with record.stage("read"):
            reference = load_references(references, options=options or ReferenceOptions())
            samples = stack.enter_context(open_bulk(bulk, unit=bulk_unit, genes=reference.var_names))
            check_table(samples)
            some = samples.some()
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
                model, samples, folder, output=output, model_sha256=sha256(folder / "model"), record=record
            )
        record.write(folder / RUN)
    return answered
