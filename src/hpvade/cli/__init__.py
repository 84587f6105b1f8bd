"""The ``hpvade`` command: one module per command, each a thin door to `hpvade.jobs`."""

from __future__ import annotations

import typer

from hpvade import __version__
from hpvade._errors import HPVADEError, InputError
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
for _module in (
    _run, _validate, _preprocess, _simulate, _train, _deconvolve, _report, _evaluate, _benchmark,
    _demo, _app,
):  # fmt: skip
    _module.register(app)


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
    _train_embedded.register(single)
    _run_app(single, "train_hp_vade.py", arguments)


def _run_app(program: typer.Typer, name: str, arguments: list[str] | None) -> None:
    """Run a program and exit: 0 done, 2 bad input or usage, 1 a fault of ours, 130 interrupted."""
    try:
        program(args=arguments, prog_name=name)
    except InputError as error:
        fail(str(error), 2)
    except HPVADEError as error:
        fail(str(error), 1)
