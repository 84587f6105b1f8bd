"""Parts of the page that are made once and only looked at: model, reference, training, groups."""

from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hpvade import pl
from hpvade._warnings import DegenerateMetricWarning
from hpvade.metrics import compare_groups, evaluate
from hpvade.report._figures import PageFigure, page_figure
from hpvade.tl import TrialTables, coverage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpvade.model import HPVADE
    from hpvade.report._results import Results

_N_MARKERS = 5
_TERMS = {
    "loss": "Total loss",
    "loss_prop": "Fractions (loss_prop)",
    "loss_bulk_recon": "Reconstruction of mixtures (loss_bulk_recon)",
    "loss_recon": "Reconstruction of cells (loss_recon)",
    "loss_proto": "Distance from prototypes (loss_proto)",
    "loss_kl": "Kullback-Leibler (loss_kl)",
    "r_type": "Correlation per type (val_r_type)",
}
_COLUMNS = 5  # of small figures side by side
_PANEL = 2.15  # inches


class PageTable(NamedTuple):
    """A table of the page: a caption, headings, rows, and colours of the names in the first column."""

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    colors: Mapping[str, str] | None = None


def model_section(model: HPVADE, colors: Mapping[str, str]) -> dict[str, Any]:
    """Say how the model did on mixtures that it had not seen."""
    truth, predicted, _ = TrialTables.of(model.heldout)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateMetricWarning)  # NaN stands in the table
        per_type = evaluate(predicted, truth).per_type
    held = coverage(model.heldout, model.calibration) if model.calibration else None
    columns = ["r", "ccc", "rmse", "bias"]
    at_90 = [np.nan] * len(per_type) if held is None else held.loc[0.9, list(per_type.index)]
    rows = [
        [name, *(per_type.loc[name, columns]), covered]
        for name, covered in zip(per_type.index, at_90, strict=True)
    ]
    return {
        "n_mixtures": len(predicted),
        "figures": [
            _small_multiples(predicted, truth),
            *([] if held is None else [_calibration_figure(held)]),
        ],
        "table": PageTable(
            "model_accuracy",
            "Agreement with the truth on these samples",
            ["cell type", "Pearson r", "CCC", "RMSE", "bias", "90% intervals hold"],
            rows,
            colors,
        ),
    }


def _small_multiples(predicted: pd.DataFrame, truth: pd.DataFrame) -> PageFigure:
    n_columns = min(_COLUMNS, predicted.shape[1])
    n_rows = -(-predicted.shape[1] // n_columns)
    figure = Figure(figsize=(_PANEL * n_columns, (_PANEL + 0.2) * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for ax, name in itertools.zip_longest(grid.flat, map(str, predicted)):
        if name is None:
            ax.set_visible(False)
            continue
        pl.predicted_versus_true(predicted, truth, cell_type=name, ax=ax)
        if not ax.get_subplotspec().is_first_col():
            ax.set_ylabel("")
    return page_figure(
        "predicted_versus_true",
        "Predicted against true fractions",
        figure=figure,
        alternative="Predicted against true fractions of simulated samples, by cell type; values in the TSV",
        table=pd.DataFrame({"predicted": predicted.stack(), "true": truth.stack()}),
    )


def _calibration_figure(held: pd.DataFrame) -> PageFigure:
    return page_figure(
        "calibration",
        "How often intervals hold the truth",
        figure=pl.calibration(held).figure,
        alternative="Observed against wanted coverage of intervals; values in the TSV",
        table=held,
        note="On the line: intervals are as wide as they say. Below it: they are too narrow.",
    )


def reference_section(model: HPVADE, colors: Mapping[str, str]) -> dict[str, Any]:
    """Say what the model knows of the reference, and show the markers of its signature."""
    facts = model.provenance["reference"]
    content = dict(zip(model.cell_types, model.profiles.signature.rna_content, strict=True))
    largest = max(content.values())
    columns = ["cell type", "cells", "held out", "donors", "counts per cell", "RNA content, relative"]
    rows = [
        [
            name,
            of_type["cells"],
            of_type["heldout_cells"],
            of_type["donors"],
            round(of_type["counts_per_cell"]),
            float(content[name] / largest),
        ]
        for name, of_type in facts["of_type"].items()
    ]
    if facts["donors"] is None:
        del columns[3]
        rows = [[*row[:3], *row[4:]] for row in rows]
    figure = page_figure(
        "signature",
        "Signature: the top markers of each cell type",
        figure=pl.signature_heatmap(model.signature, n_markers=_N_MARKERS).figure,
        alternative="Expression of the top markers of each cell type over all cell types",
        note="The whole signature is in signature.tsv.gz of the model's folder.",
    )
    return {
        "facts": facts | {"types": len(content)},
        "table": PageTable(
            "reference",
            "Cells of the reference",
            columns,
            rows,
            colors,
        ),
        "figures": [figure],
    }


def training_section(history: pd.DataFrame) -> list[PageFigure]:
    """Draw the course of every term of the loss, and of the correlation."""
    return [
        page_figure(
            term,
            title,
            figure=pl.loss_curves(history, term=term).figure,
            alternative=f"{title} by epoch, training and validation; values in the TSV",
            table=history.set_index("epoch").filter(regex=f"_{term}$"),
        )
        for term, title in _TERMS.items()
    ]


def groups_section(results: Results, colors: Mapping[str, str]) -> dict[str, Any] | None:
    """Compare groups of samples; None without groups."""
    if results.groups is None:
        return None
    fractions, groups = results.fractions, results.groups
    table = compare_groups(fractions, groups)
    n = groups.value_counts()
    means = fractions.groupby(groups).mean()
    several = len(n) > 2
    figures = [
        page_figure(
            "groups_composition",
            "Mean composition of each group",
            figure=pl.composition(means).figure,
            alternative="Mean composition of each group; values in the TSV",
            table=means,
        ),
        page_figure(
            "groups_fractions",
            "Fractions by group",
            figure=pl.group_fractions(fractions, groups=groups).figure,
            alternative="Fractions of each cell type by group; values in the table below",
        ),
    ]
    test = (
        "Kruskal-Wallis test; effect: ε²"
        if several
        else "Mann-Whitney test; effect: rank-biserial correlation"
    )
    return {
        "figures": figures,
        "table": PageTable(
            "groups",
            f"{test}; q: adjusted for the false discovery rate",
            ["cell type", *(str(name).replace("_", " ", 1) for name in table)],
            [[name, *row] for name, row in zip(table.index, table.to_numpy(), strict=True)],
            colors,
        ),
        "n": {name: int(n[name]) for name in sorted(n.index)},
    }
