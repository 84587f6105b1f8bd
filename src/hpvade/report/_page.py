"""The report: one self-contained HTML page."""

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
from hpvade.report._methods import citation, methods_tables, methods_text, settings_text
from hpvade.report._model_accuracy import JUDGED_COVERAGE, ModelAccuracy, model_accuracy
from hpvade.report._numbers import NOT_AVAILABLE, count, percent, percentage_points, table_cell
from hpvade.report._quality import column_data, column_meanings, flag_list, quality_columns
from hpvade.report._sections import (
    PageTable,
    accuracy_section,
    groups_section,
    reference_section,
    training_section,
)
from hpvade.report._verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpvade.report._figures import PageFigure
    from hpvade.results import FractionTable, Results

_TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS = (
    "core.js",
    "sample_card.js",
    "composition.js",
    "overview.js",
    "types.js",
    "quality.js",
)
_SCALE = 10_000  # the page stores fractions as whole numbers of 1 / _SCALE
_MAX_SAMPLES = 20_000  # a page with more takes long to open


def render(results: Results) -> str:
    """Return the page as HTML.

    Names of samples, cell types, genes and files are always escaped.
    """
    trained = results.trained
    accuracy = None if trained is None else model_accuracy(trained)
    colors = cell_type_colors([str(name) for name in results.fractions])
    model = None if accuracy is None else accuracy_section(accuracy, colors)
    reference = None if trained is None else reference_section(trained, colors)
    training = None if results.history.empty else training_section(results.history)
    groups = groups_section(results, colors)
    figures = [
        figure
        for section in (model, reference, groups)
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
        verdict=verdict(results, accuracy=accuracy),
        tiles=_tiles(results, accuracy),
        types_table=_types_table(results, colors),
        groups=groups,
        flags=flag_list(results),
        qc_columns=column_meanings(results),
        model=model,
        reference=reference,
        training=training,
        no_model=results.no_model,
        methods=methods_text(results),
        run_tables=methods_tables(results),
        settings=settings_text(results),
        citation=citation(),
        version=__version__,
        n_shown=min(n, _MAX_SAMPLES),
        n_left_out=max(0, n - _MAX_SAMPLES),
    )  # fmt: skip


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["table_cell"] = table_cell
    environment.filters["count"] = count
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    return environment


def _json(value: object) -> Markup:
    """Return JSON for a script element; no name in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def _title(results: Results) -> str:
    names = [PurePath(name).name for name in results.run["inputs_sha256"]]
    return names[-1] if names else "Built-in demo data"


def _subtitle(results: Results) -> str:
    n_samples, n_types = results.known.shape
    names = [_short_name(name) for name in results.run["inputs_sha256"]][:-1]
    parts = [
        count(n_samples, "sample"),
        count(n_types, "cell type"),
        *([f"reference: {', '.join(names)}"] if names else []),
        results.run["started"][:10],
    ]
    return " · ".join(parts)


def _short_name(path: str) -> str:
    """Return the name of an input; the folder of a model includes its parent."""
    parts = PurePath(path).parts
    return "/".join(parts[-2:]) if parts[-1] == "model" else parts[-1]


def _tiles(results: Results, accuracy: ModelAccuracy | None) -> list[dict[str, str]]:
    n = len(results.qc)
    n_flagged = sum(map(bool, results.qc["flags"]))
    half = float(np.nanmedian(results.known_half_widths))
    tiles = [
        ("Samples", f"{n:,}", count(results.known.shape[1], "cell type")),
        ("Flagged samples", f"{n_flagged:,}", f"of {n:,}"),
        (f"Median {percent(results.coverage)} interval", *f"±{percentage_points(half)}".split(" ", 1)),
        ("Gene overlap", percent(results.qc["gene_overlap"].median()), "of model genes in the bulk table"),
    ]
    if accuracy is not None:
        where = "on new simulated samples"
        tiles.append(("Model accuracy", f"{accuracy.r_type:.2f}", f"mean r per cell type {where}"))
        observed, nominal = accuracy.judged_coverage, percent(JUDGED_COVERAGE)
        covered = NOT_AVAILABLE if math.isnan(observed) else percent(observed)
        tiles.append((f"{nominal} interval coverage", covered, f"of true fractions {where}"))
    return [dict(zip(("name", "value", "note"), tile, strict=True)) for tile in tiles]


def _types_table(results: Results, colors: dict[str, str]) -> PageTable:
    fractions, half = results.fractions, results.half_widths
    summary = pd.DataFrame(
        {
            "mean": fractions.mean(),
            "median": fractions.median(),
            "minimum": fractions.min(),
            "maximum": fractions.max(),
            f"median {percent(results.coverage)} interval (±)": half.median(),
        }
    ).sort_values("mean", ascending=False)
    columns = ["cell type", *summary]
    rows = [[name, *row] for name, row in zip(summary.index, summary.to_numpy().tolist(), strict=True)]
    return PageTable("cell_types", "Cell fractions over all samples", columns, rows, colors)


def _data(results: Results, *, figures: Iterable[PageFigure]) -> dict[str, Any]:
    """Return the data for the scripts of the page."""
    shown = slice(_MAX_SAMPLES)
    qc = results.qc.iloc[shown]
    groups = results.groups
    samples = [str(name) for name in qc.index]
    return {
        "scale": _SCALE,
        "coverage": results.coverage,
        "samples": samples,
        "flags": list(qc["flags"]),
        "meanings": {name: flag.meaning for name, flag in FLAGS.items()},
        "groups": None if groups is None else [groups.get(name) for name in qc.index],
        "clustered": clustered_order(results.fractions.iloc[shown].to_numpy()).tolist(),
        "most_abundant": int(results.fractions.mean().to_numpy().argmax()),
        "tables": [_table(table, shown) for table in results.tables],
        "qc": [column_data(name, qc[name]) for name in quality_columns(results)],
        "tsv": {figure.name: figure.table for figure in figures if figure.table is not None},
    }


def _table(table: FractionTable, shown: slice) -> dict[str, Any]:
    types = [str(name) for name in table.fractions]
    colors = cell_type_colors(types)
    integers = {
        name: None
        if values is None
        else np.rint(values.iloc[shown].to_numpy() * _SCALE).astype(int).ravel().tolist()
        for name, values in table._asdict().items()
        if name != "name"
    }
    return {"name": table.name, "types": types, "colors": [colors[name] for name in types]} | integers
