"""Parts of the page that are made once and only looked at: model, reference, training, groups."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hpvade import pl
from hpvade.report._figures import PageFigure, page_figure
from hpvade.report._model_accuracy import JUDGED_LEVEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import SubFigure

    from hpvade.model import HPVADE
    from hpvade.report._model_accuracy import ModelAccuracy
    from hpvade.results._results import Results

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


def model_section(of_model: ModelAccuracy, colors: Mapping[str, str]) -> dict[str, Any]:
    """Say how the model did on new mixtures."""
    truth, predicted, _ = of_model.trial
    held = of_model.held
    at_90 = held.loc[JUDGED_LEVEL].to_numpy()[1:] if JUDGED_LEVEL in held.index else [np.nan] * len(colors)
    metrics = of_model.per_type[["r", "ccc", "rmse", "bias"]]
    rows = [
        [name, *of_type, covered]
        for name, of_type, covered in zip(metrics.index, metrics.to_numpy().tolist(), at_90, strict=True)
    ]
    return {
        "n_mixtures": len(predicted),
        "figures": [
            page_figure(
                "predicted_versus_true",
                "Predicted against true fractions",
                draw=lambda: _small_multiples(predicted, truth),
                alternative="Predicted against true fractions of simulated samples, by cell type",
                table=pd.DataFrame({"predicted": predicted.stack(), "true": truth.stack()}),
            ),
            page_figure(
                "calibration",
                "How often intervals hold the truth",
                draw=lambda: pl.calibration(held).figure,
                alternative="Observed against wanted coverage of intervals",
                table=held,
                note="On the line: intervals are as wide as they say. Below it: they are too narrow.",
            ),
        ],
        "table": PageTable(
            "model_accuracy",
            "Agreement with the truth on these samples",
            ["cell type", "Pearson r", "CCC", "RMSE", "bias", "90% intervals hold"],
            rows,
            colors,
        ),
    }


def _small_multiples(predicted: pd.DataFrame, truth: pd.DataFrame) -> Figure:
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
    return figure


def reference_section(model: HPVADE, colors: Mapping[str, str]) -> dict[str, Any]:
    """Say what the model knows of the reference, and show the markers of its signature."""
    facts = model.provenance["reference"]
    content = dict(zip(model.cell_types, model.reference_signature.all_genes.rna_content, strict=True))
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
        draw=lambda: pl.signature_heatmap(model.signature, n_markers=_N_MARKERS).figure,
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
            draw=partial(_loss_figure, history, term),
            alternative=f"{title} by epoch, training and validation",
            table=history.set_index("epoch").filter(regex=f"_{term}$"),
        )
        for term, title in _TERMS.items()
    ]


def _loss_figure(history: pd.DataFrame, term: str) -> Figure | SubFigure:
    return pl.loss_curves(history, term=term).figure


def groups_section(results: Results, colors: Mapping[str, str]) -> dict[str, Any] | None:
    """Compare groups of samples; None without groups."""
    fractions, groups, table = results.fractions, results.groups, results.group_tests
    if groups is None or table is None:
        return None
    n = groups.value_counts()
    means = fractions.groupby(groups).mean()
    several = len(n) > 2
    figures = [
        page_figure(
            "groups_composition",
            "Mean composition of each group",
            draw=lambda: pl.composition(means).figure,
            alternative="Mean composition of each group",
            table=means,
        ),
        page_figure(
            "groups_fractions",
            "Fractions by group",
            draw=lambda: pl.group_fractions(fractions, groups=groups).figure,
            alternative="Fractions of each cell type by group",
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
