"""The options of all commands: each is declared once, with its help and the setting that it changes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer
import yaml

from hpvade import _formats, _types
from hpvade._errors import FileFormatError, InputError, suggest
from hpvade._limits import MAX_THREADS

SECTIONS = ("preprocess", "simulate", "network", "loss", "train", "deconvolve")
_MAX_SETTINGS, _MAX_DEPTH = 1_000_000, 20  # bytes of a settings file, and its nesting
_SECTION_OF: dict[str, str] = {}  # option that is a setting of the model → section of the setting
_PRESETS = _types.PRESETS

Record = TypeVar("Record")


def _setting(section: str, flag: str, **declaration: Any) -> Any:  # noqa: ANN401 - what typer.Option returns
    """Declare an option that is a setting of the model by the same name."""
    _SECTION_OF[flag.removeprefix("--").replace("-", "_")] = section
    return typer.Option(flag, **declaration)


def setting_changes(context: typer.Context, given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Collect the changes to the model's settings: sections of ``--config``, and options that were given.

    Parameters
    ----------
    context
        The command's context, with the sections of ``--config``.
    given
        Option → value; None leaves the setting to the preset.
    """
    changes: dict[str, dict[str, Any]] = {key: dict(value) for key, value in (context.obj or {}).items()}
    for name, value in given.items():
        if name in _SECTION_OF and value is not None:
            changes.setdefault(_SECTION_OF[name], {})[name] = value
    return changes


def record(kind: type[Record], given: dict[str, Any], **more: Any) -> Record:  # noqa: ANN401
    """Make an options record of the options that bear the names of its fields."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in given.items() if name in names}, **more)


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Use the values of ``--config`` as defaults of the command's options.

    A key is an option of the command without its dashes, or a section of the model's settings.
    """
    if path is None:
        return None
    try:
        content = _parse_settings(path)
    except (OSError, ValueError, OverflowError, yaml.YAMLError) as error:
        msg = f"The settings file {path} cannot be read: {error}."
        raise FileFormatError(msg) from error
    if not isinstance(content, dict):
        msg = f"The settings file {path} must contain 'name: value' lines."
        raise FileFormatError(msg)
    parameters = {
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
                msg = f"Section '{name}' of {path} must contain 'setting: value' lines, but is {value!r}."
                raise InputError(msg)
            sections[name] = value
        elif name in parameters:
            defaults[parameters[name]] = value
        else:
            near = suggest(name, [*parameters, *SECTIONS])
            msg = f"The settings file {path} contains an unknown option or section: '{key}'.{near}"
            raise InputError(msg)
    context.obj, context.default_map = sections, defaults
    return path


def _parse_settings(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Parse YAML, within limits: references to other parts may expand without end."""
    if (path.exists() and not path.is_file()) or path.stat().st_size > _MAX_SETTINGS:
        msg = f"it is no file, or larger than {_MAX_SETTINGS // 1_000_000} MB"
        raise ValueError(msg)
    text, depth = path.read_text(), 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > _MAX_DEPTH:
            msg = f"it refers to its own parts with '*', or is nested more than {_MAX_DEPTH} deep"
            raise ValueError(msg)
    return yaml.safe_load(text)


class Names(tuple[str, ...]):
    """Names given as one option, separated by commas."""

    __slots__ = ()


def names(value: object) -> Names:
    """Split names at commas; a settings file may also give a list."""
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    return Names(str(part).strip() for part in parts if str(part).strip())


def seeds(value: object) -> Names:
    """Split seeds at commas.

    Raises
    ------
    BadParameter
        One is not a whole number ≥ 0.
    """
    parts = names(value)
    for part in parts:
        if not part.isdecimal():
            msg = f"'{part}' is not a valid seed. Use whole numbers separated by commas, e.g. 0,1,2."
            raise typer.BadParameter(msg)
    return parts


def _preset(given: object) -> _types.Preset:
    value = str(given)  # a settings file may contain a number
    name = _types.OLD_PRESETS.get(value, value)
    if name not in _PRESETS:
        msg = f"'{value}' is not a preset. Presets: {', '.join(_PRESETS)}.{suggest(value, _PRESETS)}"
        raise typer.BadParameter(msg)
    return cast("_types.Preset", name)


def _without_effect(context: typer.Context, parameter: typer.CallbackParam, value: int | None) -> int | None:
    """Report an option that every command accepts and this one does not need."""
    if value is not None and not context.params.get("quiet"):
        typer.echo(f"Note: {parameter.opts[0]} has no effect on hpvade {context.info_name}.", err=True)
    return value


Config = Annotated[
    Path | None,
    typer.Option(
        "--config", callback=read_config, is_eager=True, help="YAML file in which any option can be set."
    ),
]

# What the arguments with a reference or a bulk table accept
REFERENCE_HELP = f"{_formats.titles(_formats.REFERENCE_FORMATS)}."
BULK_HELP = (
    f"Bulk samples: {_formats.titles(_formats.BULK_FORMATS)}; a file, or a folder with one file a sample."
)

# The reference
LabelsKey = Annotated[str, typer.Option("--labels-key", help="Column of obs with the cell types.")]
DonorKey = Annotated[
    str | None,
    typer.Option("--donor-key", help="Column of obs with the donors; whole donors are held out."),
]
Layer = Annotated[
    str | None,
    typer.Option(
        "--layer",
        help="Where the counts are: a layer, X or raw. Default: detected automatically. Counts corrected for "
        "ambient RNA, which are not whole numbers, are used only if they are named here.",
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="TABLE",
        help="TSV or CSV of cell labels, for a reference without them: barcodes in the first column, cell "
        "types in the column --labels-key.",
    ),
]
LabelMap = Annotated[
    Path | None,
    typer.Option(
        "--label-map", help="TSV with columns label, cell_type[, reference]; renames and merges labels."
    ),
]
RnaContent = Annotated[
    Path | None,
    typer.Option(
        "--rna-content",
        help="TSV with columns cell_type, rna_content: RNA per cell of each type. Default: measured.",
    ),
]
MaxCells = Annotated[
    int,
    typer.Option(
        "--max-cells",
        min=100,
        help="Maximum number of cells kept in memory from an h5ad or zarr reference; the signature uses all.",
    ),
]
Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="SCHEDULER",
        help="Read large references on a Dask cluster: tcp://host:8786, or a scheduler file.",
    ),
]

# The bulk table and the results
BulkUnit = Annotated[_types.BulkUnit, typer.Option("--bulk-unit", help="Unit of the bulk table.")]
IgnoreCase = Annotated[
    bool,
    typer.Option("--ignore-case", help="Recognise genes of the bulk table whatever their case (CD3E, Cd3e)."),
]
Coverage = Annotated[
    float, typer.Option("--coverage", "--level", help="Coverage of the intervals, between 0 and 1.")
]
WithUnknown = Annotated[
    bool,
    typer.Option(
        "--with-unknown/--no-unknown",
        help="Give cells that the reference lacks a column 'unknown', so that fractions sum to 1 with it. "
        "Otherwise fractions are shares among the known types.",
    ),
]
World = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|none",
        help="Profiles of what the reference may lack: a TSV of genes × profiles, or 'none'. Default: blood "
        "cells, tissues and cell lines of the Human Protein Atlas.",
    ),
]
Purity = Annotated[
    Path | None,
    typer.Option(
        help="Table of samples and the share of their cells that is known to be outside the reference, e.g. "
        "from DNA or histology."
    ),
]
Expression = Annotated[
    Path | None,
    typer.Option("--expression", help="AnnData file to write: expression of each cell type in each sample."),
]
Groups = Annotated[
    Path | None,
    typer.Option("--groups", help="TSV or CSV with samples and their groups, to compare in the report."),
]
Report = Annotated[
    bool, typer.Option("--report/--no-report", help="Write report.html and files for MultiQC.")
]

# The model and its training
Preset = Annotated[
    _types.Preset,
    typer.Option(
        "--preset", parser=_preset, metavar=f"[{'|'.join(_PRESETS)}]", help="Settings to start from."
    ),
]
NGenes = Annotated[
    int | None,
    _setting("preprocess", "--n-genes", min=0, help="Highly variable genes to use besides the markers."),
]
MinCells = Annotated[
    int | None, _setting("preprocess", "--min-cells", min=4, help="Minimum number of cells per type.")
]
Members = Annotated[int | None, _setting("network", "--members", min=1, help="Number of networks to train.")]
MaxEpochs = Annotated[int | None, _setting("train", "--max-epochs", min=1, help="Maximum number of epochs.")]
NCells = Annotated[int | None, _setting("simulate", "--n-cells", min=1, help="Cells per mixture.")]
Accelerator = Annotated[str, typer.Option("--accelerator", help="auto, cpu or gpu.")]
Devices = Annotated[str, typer.Option("--devices", help="Number of devices; auto uses one.")]
Strategy = Annotated[
    str,
    typer.Option("--strategy", help="How to start one process per device: ddp_spawn or ddp_fork."),
]
TensorBoard = Annotated[
    Path | None,
    typer.Option("--tensorboard", metavar="LOGDIR", help="Also log the losses to this TensorBoard folder."),
]

# Every command
Seed = Annotated[int, typer.Option("--seed", min=0, help="Random seed; the same seed gives the same result.")]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, max=MAX_THREADS, help="Number of CPU threads. Default: all.")
]
# Accepted by every command, so that scripts can pass them, but offered only where they have an effect.
UnusedSeed = Annotated[int | None, typer.Option("--seed", min=0, hidden=True, callback=_without_effect)]
UnusedThreads = Annotated[
    int | None, typer.Option("--threads", min=1, max=MAX_THREADS, hidden=True, callback=_without_effect)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", is_eager=True, help="Print errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing output.")]
