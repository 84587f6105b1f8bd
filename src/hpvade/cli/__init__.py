"""The ``hpvade`` command: one module per command, each a thin door to `hpvade.jobs`."""

from __future__ import annotations

import typer

from hpvade import __version__
from hpvade._errors import HPVADEError, InputError
from hpvade._process import exit_on_signals
from hpvade.cli import (
    _app,
    _benchmark,
    _deconvolve,
    _demo,
    _evaluate,
    _preprocess,
    _report,
    _run,
    _simulate,
    _train,
    _train_embedded,
    _validate,
)
from hpvade.cli._terminal import fail

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Cell-type composition of bulk RNA-seq from a labelled single-cell reference.",
    epilog="Example: hpvade run reference.h5ad bulk.tsv.gz -o results",
)
for _module, _command in (
    (_run, _run.run),
    (_validate, _validate.validate),
    (_preprocess, _preprocess.preprocess),
    (_simulate, _simulate.simulate),
    (_train, _train.train),
    (_deconvolve, _deconvolve.deconvolve),
    (_report, _report.report),
    (_evaluate, _evaluate.evaluate),
    (_benchmark, _benchmark.benchmark),
    (_demo, _demo.demo),
    (_app, _app.app),
):
    app.command(epilog=f"Example: {_module.EXAMPLE}")(_command)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"hpvade {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Declare the options before a command."""


def main(arguments: list[str] | None = None) -> None:
    """Run the ``hpvade`` command line."""
    _run_app(app, "hpvade", arguments)


def train_embedded(arguments: list[str] | None = None) -> None:
    """Run the command line of ``train_hp_vade.py``."""
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    single.command(epilog=f"Example: {_train_embedded.EXAMPLE}")(_train_embedded.train_embedded)
    _run_app(single, "train_hp_vade.py", arguments)


def _run_app(program: typer.Typer, name: str, arguments: list[str] | None) -> None:
    """Run a program and exit: 0 done, 2 bad input or usage, 1 a fault of ours, 130 and 143 when stopped."""
    try:
        with exit_on_signals():
            program(args=arguments, prog_name=name)
    except InputError as error:
        fail(str(error), 2)
    except HPVADEError as error:
        fail(str(error), 1)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):  # as torch says it
            raise
        reason = str(error).splitlines()[-1:] or ["no details"]
        fail(f"The memory is too small for these inputs and settings ({reason[0]}). Reduce them.", 2)
