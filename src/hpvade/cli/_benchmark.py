"""``hpvade benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal

EXAMPLE = "hpvade benchmark data -o results --methods hpvade,nnls --seeds 0"


def benchmark(
    context: typer.Context,
    data: Annotated[
        Path, typer.Argument(metavar="DATA_DIR", help="Manifest (JSON), or a folder with manifest.json.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the results; the same command continues in it.")
    ],
    config: o.Config = None,
    preset: o.Preset = "default",
    methods: Annotated[
        o.Names,
        typer.Option(parser=o.names, metavar="NAME,...", help="Methods: hpvade, nnls, em, svr, mean."),
    ] = "hpvade,nnls,em,svr,mean",  # type: ignore[assignment] # Typer parses defaults too
    references: Annotated[
        o.Names,
        typer.Option(
            parser=o.names,
            metavar="NAME,...",
            help="Names in the manifest; 'all' combines all of them. Default: each and 'all'.",
        ),
    ] = "",  # type: ignore[assignment]
    datasets: Annotated[
        o.Names,
        typer.Option(parser=o.names, metavar="NAME,...", help="Names in the manifest. Default: each."),
    ] = "",  # type: ignore[assignment]
    leave_out: Annotated[
        o.Names,
        typer.Option(
            parser=o.names,
            metavar="TYPE+TYPE,...",
            help="Coarse types to leave out of each reference, one group after the other; they count as "
            "unknown content.",
        ),
    ] = "",  # type: ignore[assignment]
    seeds: Annotated[
        o.Names, typer.Option(parser=o.seeds, metavar="N,...", help="Seeds to train with.")
    ] = "0,1,2",  # type: ignore[assignment]
    estimates: Annotated[
        Path | None,
        typer.Option(
            help="Folder with estimates of other tools to score: REFERENCE.METHOD.DATASET[.SEED].tsv."
        ),
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
        typer.Option("--seed", min=0, help="Random seed for bootstrap intervals; --seeds is for training."),
    ] = 0,
    threads: o.Threads = None,
    quiet: o.Quiet = False,
    force: o.Force = False,
) -> None:
    """Compare methods on bulk data with known fractions."""
    given = locals()
    terminal = Terminal(quiet=quiet, threads=threads)
    from hpvade.jobs import BenchmarkOptions, TrainOptions, benchmark_files

    changes = o.setting_changes(context, given)
    try:
        with terminal.tasks() as on_task:
            result = benchmark_files(
                data,
                output,
                options=o.record(
                    BenchmarkOptions,
                    given | {"seeds": [int(number) for number in seeds]},
                    bootstrap_seed=seed,
                ),
                train=o.record(TrainOptions, given, changes=changes),
                force=force,
                on_stage=terminal.stage,
                on_task=on_task,
                on_pair=terminal.note,
            )
    except KeyboardInterrupt:
        terminal.note(f"Interrupted. Finished estimates are in {output}. Run the same command to continue.")
        raise typer.Exit(130) from None
    for note in result.notes:
        terminal.note(note)
    text = f"Mean over all pairs of reference and data set:\n\n{result.summary_text()}\n\nResults: {output}"
    terminal.result(text, result.to_records(), as_json=as_json)
