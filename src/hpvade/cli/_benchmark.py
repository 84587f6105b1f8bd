"""``hpvade benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: hpvade benchmark data -o results --methods hpvade,nnls --seeds 0")(benchmark)


def benchmark(
    context: typer.Context,
    data: Annotated[
        Path, typer.Argument(metavar="DATA_DIR", help="A folder with manifest.json, or the manifest.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the results; the same call goes on in it.")
    ],
    config: o.Config = None,
    preset: o.Preset = "default",
    methods: Annotated[
        o.Names,
        typer.Option(parser=o.names, metavar="NAME,...", help="Of hpvade, nnls, em, svr and mean."),
    ] = "hpvade,nnls,em,svr,mean",  # type: ignore[assignment] # Typer parses defaults too
    references: Annotated[
        o.Names,
        typer.Option(
            parser=o.names,
            metavar="NAME,...",
            help="Names in the manifest; all is all together. Default: each.",
        ),
    ] = "",  # type: ignore[assignment]
    datasets: Annotated[
        o.Names,
        typer.Option(parser=o.names, metavar="NAME,...", help="Names in the manifest. Default: each."),
    ] = "",  # type: ignore[assignment]
    seeds: Annotated[
        o.Names, typer.Option(parser=o.seeds, metavar="N,...", help="Seeds to train with.")
    ] = "0,1,2",  # type: ignore[assignment]
    estimates: Annotated[
        Path | None,
        typer.Option(help="Folder with REFERENCE.METHOD.DATASET[.SEED].tsv of other tools, to score too."),
    ] = None,
    n_genes: o.NGenes = None,
    members: o.Members = None,
    max_epochs: o.MaxEpochs = None,
    min_cells: o.MinCells = None,
    accelerator: o.Accelerator = "auto",
    devices: o.Devices = "auto",
    as_json: o.Json = False,
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, help="Seed of the bootstrap bounds; --seeds are those of training."),
    ] = 0,
    threads: o.Threads = None,
    quiet: o.Quiet = False,
    force: o.Force = False,
) -> None:
    """Compare methods with every reference on every bulk set of a manifest."""
    terminal = Terminal(quiet=quiet)
    from hpvade.jobs import BenchmarkOptions, TrainOptions, benchmark_files
    from hpvade.results import set_threads

    set_threads(threads)
    changes = o.setting_changes(
        context,
        preprocess__n_genes=n_genes,
        preprocess__min_cells=min_cells,
        network__members=members,
        train__max_epochs=max_epochs,
    )
    try:
        with terminal.tasks() as on_task:
            result = benchmark_files(
                data,
                output,
                options=BenchmarkOptions(
                    methods=methods,
                    references=references,
                    datasets=datasets,
                    seeds=[int(number) for number in seeds],
                    estimates=estimates,
                    bootstrap_seed=seed,
                    threads=threads,
                ),
                train=TrainOptions(preset, changes, accelerator, devices),
                force=force,
                on_stage=terminal.stage,
                on_task=on_task,
                on_pair=terminal.note,
            )
    except KeyboardInterrupt:
        terminal.note(f"Interrupted. What is finished is in {output}; the same command goes on from there.")
        raise typer.Exit(130) from None
    for note in result.notes:
        terminal.note(note)
    text = f"Mean over all pairs of reference and set:\n\n{result.summary_text()}\n\nResults → {output}"
    terminal.result(text, result.to_records(), as_json=as_json)
