"""Options that commands share, and how they become settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from hpvade import _types
from hpvade._errors import FileFormatError, InputError, suggest

SECTIONS = ("preprocess", "simulate", "network", "loss", "train", "deconvolve")


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Take the values of ``--config`` as defaults of the command's options.

    A key is an option of the command without its dashes, or a section of the model's settings.
    """
    if path is None:
        return None
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"The settings file {path} cannot be read: {error}."
        raise FileFormatError(msg) from error
    if not isinstance(content, dict):
        msg = f"The settings file {path} must hold 'name: value' lines."
        raise FileFormatError(msg)
    parameter_of = {
        option.lstrip("-"): parameter.name
        for parameter in context.command.params
        for option in parameter.opts
        if option.startswith("--") and option not in ("--config", "--help")
    }
    defaults: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    for key, value in content.items():
        name = str(key).replace("_", "-")
        if name in SECTIONS:
            if not isinstance(value, dict):
                msg = f"The section '{name}' of {path} must hold 'setting: value' lines. Got {value!r}."
                raise InputError(msg)
            sections[name] = value
        elif name in parameter_of:
            defaults[parameter_of[name]] = value
        else:
            near = suggest(name, [*parameter_of, *SECTIONS])
            msg = f"The settings file {path} has the unknown name '{key}'.{near}"
            raise InputError(msg)
    context.obj, context.default_map = sections, defaults
    return path


def setting_changes(context: typer.Context, **options: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401
    """Merge the sections of ``--config`` with the options that were given.

    Parameters
    ----------
    context
        The command's context, with the sections of ``--config``.
    options
        ``section__setting`` → value; None leaves the setting to the preset.
    """
    changes: dict[str, dict[str, Any]] = {key: dict(value) for key, value in (context.obj or {}).items()}
    for name, value in options.items():
        if value is not None:
            section, setting = name.split("__")
            changes.setdefault(section, {})[setting] = value
    return changes


class Names(tuple[str, ...]):
    """Names given as one option, parted by commas."""

    __slots__ = ()


def names(value: object) -> Names:
    """Part names at commas; a settings file may also give a list."""
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    return Names(str(part).strip() for part in parts if str(part).strip())


def seeds(value: object) -> Names:
    """Part seeds at commas.

    Raises
    ------
    BadParameter
        One is not a whole number from 0.
    """
    parts = names(value)
    for part in parts:
        if not part.isdecimal():
            msg = f"'{part}' is not a seed. Give whole numbers from 0, parted by commas: 0,1,2."
            raise typer.BadParameter(msg)
    return parts


Config = Annotated[
    Path | None,
    typer.Option(
        "--config", callback=read_config, is_eager=True, help="YAML file; any option can be set there."
    ),
]
LabelsKey = Annotated[str, typer.Option("--labels-key", help="Column of obs with the cell type.")]
DonorKey = Annotated[
    str | None, typer.Option("--donor-key", help="Column of obs with the donor; whole donors are held out.")
]
Layer = Annotated[
    str | None, typer.Option("--layer", help="Where the counts are: a layer, X or raw. Default: search.")
]
LabelMap = Annotated[
    Path | None,
    typer.Option("--label-map", help="TSV with columns label, cell_type[, reference] to rename labels."),
]
RnaContent = Annotated[
    Path | None,
    typer.Option(
        "--rna-content",
        help="TSV with columns cell_type, rna_content: RNA of a cell of each type. Default: measured.",
    ),
]
BulkUnit = Annotated[_types.BulkUnit, typer.Option("--bulk-unit", help="Unit of the bulk table.")]
Level = Annotated[
    float | None, typer.Option("--level", help="Coverage of the intervals, between 0 and 1. Default: 0.9.")
]
WithUnknown = Annotated[
    bool | None,
    typer.Option(
        "--with-unknown/--no-with-unknown",
        help="Give unknown content a column; fractions then sum to 1 with it.",
    ),
]
Expression = Annotated[
    Path | None,
    typer.Option("--expression", help="AnnData file for what each type expresses in each sample."),
]
Groups = Annotated[
    Path | None,
    typer.Option("--groups", help="TSV or CSV: samples, and the group of each, to compare in the report."),
]
Report = Annotated[
    bool, typer.Option("--report/--no-report", help="Whether to make report.html and files for MultiQC.")
]
Preset = Annotated[
    _types.Preset, typer.Option("--preset", help="Settings to start from; seed is the witness that fails.")
]
NGenes = Annotated[
    int | None, typer.Option("--n-genes", min=0, help="Highly variable genes, beside the markers.")
]
Members = Annotated[int | None, typer.Option("--members", min=1, help="Networks in the ensemble.")]
MaxEpochs = Annotated[int | None, typer.Option("--max-epochs", min=1, help="Most epochs.")]
MaxCells = Annotated[
    int,
    typer.Option(
        "--max-cells",
        min=100,
        help="Keep so many cells of a larger h5ad or zarr reference; S of one reference is made of all.",
    ),
]
Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="SCHEDULER",
        help="Let a Dask cluster read large references: tcp://host:8786, or a scheduler file.",
    ),
]
MinCells = Annotated[int | None, typer.Option("--min-cells", min=4, help="Fewest cells of a type.")]
Accelerator = Annotated[str, typer.Option("--accelerator", help="auto, cpu or gpu.")]
Devices = Annotated[str, typer.Option("--devices", help="Number of devices; auto is one.")]
Strategy = Annotated[
    str,
    typer.Option("--strategy", help="How processes for several devices are started: ddp_spawn, ddp_fork."),
]
TensorBoard = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard", metavar="LOGDIR", help="Write the losses there too, as TensorBoard reads them."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Processor threads. Default: all.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing output.")]
