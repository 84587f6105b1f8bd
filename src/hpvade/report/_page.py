"""Results → one self-contained page."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from hpvade import __version__
from hpvade.deconvolve import FLAGS
from hpvade.pl import cell_type_colors
from hpvade.pl._composition import clustered_order
from hpvade.report._methods import cite, methods_text, settings_text, tables
from hpvade.report._model_accuracy import ModelAccuracy, skill
from hpvade.report._sections import (
    PageTable,
    groups_section,
    model_section,
    reference_section,
    training_section,
)
from hpvade.report._verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpvade.report._figures import PageFigure
    from hpvade.results._results import Results, Table

_TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS = (
    "core.js",
    "sample_card.js",
    "composition.js",
    "overview.js",
    "composition_files.js",
    "types.js",
    "quality.js",
)
_SCALE = 10_000  # fractions are whole numbers of 1 / _SCALE in the page
_MOST_SAMPLES = 20_000  # a page with more takes long to open
_SMALLEST_SHOWN = 0.001


def render(results: Results) -> str:
    """Return the page as HTML.

    Names of samples, cell types, genes and files are escaped wherever they stand.
    """
    model = results.model
    of_model = None if model is None else skill(model)
    colors = cell_type_colors([str(name) for name in results.fractions])
    judged = None if of_model is None else model_section(of_model, colors)
    reference = None if model is None else reference_section(model, colors)
    training = None if results.history.empty else training_section(results.history)
    groups = groups_section(results, colors)
    figures = [
        figure
        for section in (judged, reference, groups)
        for figure in ([] if section is None else section.get("figures", []))
    ]
    script = '"use strict";\n' + "\n".join(
        (_TEMPLATES / name).read_text(encoding="utf-8") for name in _SCRIPTS
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    n = len(results.fractions)
    return _environment().get_template("report.html.j2").render(
        title=_title(results),
        subtitle=_subtitle(results),
        css=Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=Markup(f"'sha256-{digest}'"),
        data=_json(_data(results, figures=[*figures, *(training or [])])),
        verdict=verdict(results, of_model=of_model),
        tiles=_tiles(results, of_model),
        types_table=_types_table(results, colors),
        groups=groups,
        flags=_flags(results),
        model=judged,
        reference=reference,
        training=training,
        no_model=results.no_model,
        methods=methods_text(results),
        done=tables(results),
        settings=settings_text(results),
        cite=cite(),
        version=__version__,
        n_shown=min(n, _MOST_SAMPLES),
        n_left_out=max(0, n - _MOST_SAMPLES),
    )  # fmt: skip


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["shown"] = _shown
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    return environment


def _shown(value: object) -> str:
    """Show a cell of a table: counts with commas, other numbers with three decimals."""
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    if math.isnan(value):
        return "-"
    return f"{value:.3f}" if abs(value) >= _SMALLEST_SHOWN or value == 0 else f"{value:.0e}"


def _json(value: object) -> Markup:
    """Return JSON that may stand in a script element: no name in it can end that."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def _title(results: Results) -> str:
    names = [PurePath(name).name for name in results.run["inputs_sha256"]]
    return names[-1] if names else "Embedded data"


def _subtitle(results: Results) -> str:
    n, n_types = results.known.shape
    names = [_shown_name(name) for name in results.run["inputs_sha256"]][:-1]
    parts = [
        f"{n:,} sample{'s' * (n > 1)}",
        f"{n_types} cell types",
        *([f"with {', '.join(names)}"] if names else []),
        results.run["started"][:10],
    ]
    return " · ".join(parts)


def _shown_name(path: str) -> str:
    """Name of an input; a model's folder is called by that of the results it lies in."""
    parts = PurePath(path).parts
    return "/".join(parts[-2:]) if parts[-1] == "model" else parts[-1]


def _tiles(results: Results, of_model: ModelAccuracy | None) -> list[dict[str, str]]:
    n = len(results.qc)
    n_flagged = sum(map(bool, results.qc["flags"]))
    half = float(np.nanmedian(results.known_half_widths))
    tiles = [
        ("Samples", f"{n:,}", f"{results.known.shape[1]} cell types"),
        ("Flagged", f"{n_flagged:,}", f"of {n:,} samples"),
        ("Typical interval", f"±{half * 100:.1f}", f"points, {results.level:.0%} interval, median"),
        ("Genes found", f"{results.qc['gene_overlap'].median():.0%}", "of the model, in the bulk table"),
    ]
    if of_model is not None:
        tiles.append(("ModelAccuracy of the model", f"{of_model.r_type:.2f}", "r per type, new mixtures"))
        tiles.append(("90% intervals hold", f"{of_model.coverage:.0%}", "of fractions, new mixtures"))
    return [dict(zip(("name", "value", "note"), tile, strict=True)) for tile in tiles]


def _types_table(results: Results, colors: dict[str, str]) -> PageTable:
    fractions, half = results.fractions, results.half_widths
    of_type = pd.DataFrame(
        {
            "mean": fractions.mean(),
            "median": fractions.median(),
            "smallest": fractions.min(),
            "largest": fractions.max(),
            "typical interval, ±": half.median(),
        }
    ).sort_values("mean", ascending=False)
    columns = ["cell type", *of_type]
    rows = [[name, *row] for name, row in zip(of_type.index, of_type.to_numpy().tolist(), strict=True)]
    return PageTable("cell_types", "Fractions over all samples", columns, rows, colors)


def _flags(results: Results) -> list[dict[str, Any]]:
    """Say of each flag that was raised what it means, what to do, and how many samples have it."""
    n_of = results.qc["flags"].explode().value_counts()
    return [
        {
            "name": name,
            "count": f"{n_of[name]:,} of {len(results.qc):,}",
            "meaning": flag.meaning,
            "remedy": flag.remedy,
        }
        for name, flag in FLAGS.items()
        if name in n_of
    ]


def _data(results: Results, *, figures: Iterable[PageFigure]) -> dict[str, Any]:
    """Return what the page's scripts draw from."""
    shown = slice(_MOST_SAMPLES)
    qc = results.qc.iloc[shown]
    groups = results.groups
    samples = [str(name) for name in qc.index]
    return {
        "scale": _SCALE,
        "level": results.level,
        "samples": samples,
        "flags": list(qc["flags"]),
        "meanings": {name: flag.meaning for name, flag in FLAGS.items()},
        "groups": None if groups is None else [groups.get(name) for name in qc.index],
        "clustered": clustered_order(results.fractions.iloc[shown].to_numpy()).tolist(),
        "commonest": int(results.fractions.mean().to_numpy().argmax()),
        "tables": [_table(table, shown) for table in results.tables],
        "qc": [_column(name, qc[name]) for name in ["flags", *map(str, qc.columns.drop("flags"))]],
        "tsv": {figure.name: figure.table for figure in figures if figure.table is not None},
    }


def _table(table: Table, shown: slice) -> dict[str, Any]:
    types = [str(name) for name in table.fractions]
    colors = cell_type_colors(types)
    whole = {
        name: None
        if values is None
        else np.rint(values.iloc[shown].to_numpy() * _SCALE).astype(int).ravel().tolist()
        for name, values in table._asdict().items()
        if name != "name"
    }
    return {"name": table.name, "types": types, "colors": [colors[name] for name in types]} | whole


def _column(name: str, column: pd.Series) -> dict[str, Any]:
    if name == "flags":
        return {"name": name, "kind": "text", "values": []}
    if not pd.api.types.is_numeric_dtype(column):
        return {"name": name, "kind": "text", "values": list(column)}
    values = [None if math.isnan(value) else round(float(value), 4) for value in column]
    return {"name": name, "kind": "number", "decimals": 0 if name == "genes_used" else 3, "values": values}
