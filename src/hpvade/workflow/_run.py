"""Bulk in, fractions out, over files: with a model that exists, or from a reference in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpvade._errors import InputError
from hpvade.io import output_dir, read_bulk
from hpvade.model import HPVADE
from hpvade.workflow._deconvolve import (
    check_expression_path,
    deconvolve_bulk,
    write_deconvolution,
    write_expression,
)
from hpvade.workflow._record import RunRecord
from hpvade.workflow._reference import ReferenceOptions, load_references
from hpvade.workflow._train import TrainOptions, train_model, write_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hpvade._types import BulkUnit
    from hpvade.tl import Deconvolution


def deconvolve_files(
    model_folder: Path,
    bulk: Path,
    output: Path,
    *,
    bulk_unit: BulkUnit = "auto",
    changes: Mapping[str, dict[str, Any]] | None = None,
    expression: Path | None = None,
    force: bool = False,
    on_stage: Callable[[str], None] = lambda _name: None,
) -> Deconvolution:
    """Deconvolve a bulk table with a trained model: the job of ``hpvade deconvolve``.

    ``changes`` to the model's settings may touch the section ``deconvolve`` only. ``expression`` names a file
    for what each type expresses in each sample.
    """
    if expression is not None:
        check_expression_path(expression, output=output, inputs=[model_folder, bulk], force=force)
    model = HPVADE.load(model_folder)
    if other := sorted(set(changes or {}) - {"deconvolve"}):
        msg = f"A trained model's section '{other[0]}' cannot change; only 'deconvolve' can."
        raise InputError(msg)
    model.config = model.config.updated(changes or {})
    record = RunRecord(model.settings["seed"], on_stage)
    with output_dir(output, force=force, inputs=[model_folder, bulk]) as folder:
        with record.stage("read"):
            samples = read_bulk(bulk, unit=bulk_unit, genes=model.gene_names())
        with record.stage("checksums"):
            record.add_input(model_folder)
            record.add_input(bulk)
        result = deconvolve_bulk(model, samples, record=record)
        write_deconvolution(result, folder)
        record.write(folder / "run.json")
    if expression is not None:  # whatever happens to it, the fractions are there
        with record.stage("expression"):
            write_expression(model, samples, result, expression)
    return result


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
) -> Deconvolution | None:
    """Validate, train and deconvolve: the job of ``hpvade run``.

    Returns
    -------
    The answer, or None after Ctrl-C: the best model so far is then written without fractions.
    """
    record = RunRecord(seed, on_stage)
    with output_dir(output, force=force, inputs=[*references, bulk]) as folder:
        with record.stage("read"):
            reference = load_references(references, options=options or ReferenceOptions())
            samples = read_bulk(bulk, unit=bulk_unit, genes=reference.var_names)
        with record.stage("checksums"):
            for path in [*references, bulk]:
                record.add_input(path)
        model, finished = train_model(reference, bulk=samples, options=train or TrainOptions(), record=record)
        write_model(model, folder)
        result = deconvolve_bulk(model, samples, record=record) if finished else None
        if result is not None:
            write_deconvolution(result, folder)
        record.write(folder / "run.json")
    return result
