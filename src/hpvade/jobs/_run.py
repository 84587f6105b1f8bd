"""References and a bulk table → model, fractions and report in one go: the job of ``hpvade run``."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from hpvade import _keys
from hpvade.deconvolve import refuse_unknown
from hpvade.io import output_dir, sha256
from hpvade.jobs._bulk import BulkOptions
from hpvade.jobs._deconvolve import (
    OutputOptions,
    RunSummary,
    check_table,
    deconvolve_table,
    finish,
    load_unknown_inputs,
    read_sample_groups,
)
from hpvade.jobs._references import ReferenceOptions, load_references, reference_facts
from hpvade.jobs._train import TrainOptions, train_model, write_model
from hpvade.jobs._unknown import NO_WORLD
from hpvade.pp import gene_symbols
from hpvade.results import FoundModel, RunRecord, own_files
from hpvade.results._files import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def run_files(
    references: Sequence[Path],
    bulk: Path,
    output: Path,
    *,
    bulk_options: BulkOptions | None = None,
    reference_options: ReferenceOptions | None = None,
    train: TrainOptions | None = None,
    options: OutputOptions | None = None,
    seed: int = 0,
    force: bool = False,
    on_stage: Callable[[str], None] = lambda _name: None,
) -> RunSummary:
    """Validate, train, deconvolve and report.

    Raises
    ------
    KeyboardInterrupt
        Also after Ctrl-C in training: nothing is written.
    """
    options = options or OutputOptions()
    reference_options = reference_options or ReferenceOptions()
    inputs = [*references, *reference_options.tables, bulk]
    options.check(output=output, inputs=inputs, force=force)
    record = RunRecord(seed, on_stage)
    with (
        ExitStack() as stack,
        output_dir(output, own_files=own_files, force=force, inputs=inputs) as folder,
        options.expression_file(force=force) as expression,
    ):
        with record.stage("read"):
            reference = load_references(references, options=reference_options)
            record.decisions["reference"] = reference_facts(reference)
            table = (bulk_options or BulkOptions()).open(bulk, var=reference.var)
            samples = stack.enter_context(table)
            check_table(samples)
            if options.with_unknown and options.world != NO_WORLD:
                levels = reference.uns[_keys.UNS]["levels"]
                for column in (reference_options.labels_key, *levels):
                    refuse_unknown(reference.obs[column])
            world, _ = load_unknown_inputs(options, samples)
            if world is not None:
                world.check_genes(gene_symbols(reference.var))
            representative = samples.representative_samples()
            groups = read_sample_groups(options, folder, samples)
        with record.stage("checksums"):
            for path in inputs:
                record.add_input(path)
        model, finished = train_model(
            reference,
            bulk=representative,
            options=train or TrainOptions(),
            record=record,
            folder=folder,
        )
        if not finished or model.trained is None:
            raise KeyboardInterrupt
        write_model(model, folder)
        answer = deconvolve_table(
            model.trained,
            samples,
            folder,
            model_sha256=sha256(folder / MODEL),
            record=record,
            options=options,
        )
        return finish(
            answer,
            folder,
            expression=expression,
            bulk=samples,
            model=FoundModel(model.trained, model.history),
            groups=groups,
            record=record,
            options=options,
        )
