"""Static sections of the page: model accuracy, reference, training, groups."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from hpvade import pl
from hpvade.pl._loss_curves import term_titles
from hpvade.report._figures import PageFigure, page_figure
from hpvade.report._model_accuracy import JUDGED_COVERAGE
from hpvade.report._numbers import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import SubFigure

    from hpvade.model import TrainedModel
    from hpvade.report._model_accuracy import ModelAccuracy
    from hpvade.results import Results

_N_MARKERS = 5
_COLUMNS = 5  # of small panels
_PANEL = 2.15  # inches


class PageTable(NamedTuple):
    """A table of the page: caption, headings, rows, and colours of the names in the first column."""

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    colors: Mapping[str, str] | None = None


def accuracy_section(accuracy: ModelAccuracy, colors: Mapping[str, str]) -> dict[str, Any]:
    """Show the accuracy of the model on new mixtures."""
    truth, predicted, _ = accuracy.validation
    table = accuracy.per_type[["r", "ccc", "rmse", "bias"]].assign(
        coverage=accuracy.coverage.reindex([JUDGED_COVERAGE]).iloc[0, 1:]  # the first is over all types
    )
    rows = [[name, *row] for name, row in zip(table.index, table.to_numpy().tolist(), strict=True)]
    return {
        "n_mixtures": len(predicted),
        "figures": [
            page_figure(
                "predicted_versus_true",
                "Estimated versus true fractions",
                draw=lambda: _small_multiples(predicted, truth),
                alternative="Estimated versus true fractions of simulated samples, one panel per cell type",
                table=pd.DataFrame({"predicted": predicted.stack(), "true": truth.stack()}),
            ),
            page_figure(
                "calibration",
                "Coverage of the intervals",
                draw=lambda: pl.calibration(accuracy.coverage).figure,
                alternative="Observed versus nominal coverage of the intervals",
                table=accuracy.coverage,
                note="Intervals are too narrow below the diagonal and too wide above it.",
            ),
        ],
        "table": PageTable(
            "model_accuracy",
            "Accuracy on these simulated samples",
            [
                *("cell type", "Pearson r", "CCC", "RMSE", "bias"),
                f"{percent(JUDGED_COVERAGE)} interval coverage",
            ],
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


def reference_section(trained: TrainedModel, colors: Mapping[str, str]) -> dict[str, Any]:
    """Describe the reference, and show the markers of its signature."""
    facts = trained.provenance["reference"]
    content = dict(zip(trained.cell_types, trained.reference_signature.all_genes.rna_content, strict=True))
    largest = max(content.values())
    columns = [
        "cell type",
        "cells",
        "held-out cells",
        "donors",
        "counts per cell",
        "relative RNA content",
        "published RNA content of",
    ]
    rows = [
        [
            name,
            type_facts["cells"],
            type_facts["heldout_cells"],
            type_facts["donors"],
            round(type_facts["counts_per_cell"]),
            float(content[name] / largest),
            type_facts["published_content"] or "none",
        ]
        for name, type_facts in facts["cell_types"].items()
    ]
    if facts["donors"] is None:
        del columns[3]
        rows = [[*row[:3], *row[4:]] for row in rows]
    figure = page_figure(
        "signature",
        "Signature: top markers of each cell type",
        draw=lambda: pl.signature_heatmap(trained.signature, n_markers=_N_MARKERS).figure,
        alternative="Heatmap of the top markers of each cell type across all cell types",
        note="The complete signature is in signature.tsv.gz next to the model.",
    )
    return {
        "facts": facts | {"types": len(content)},
        "table": PageTable(
            "reference",
            "Cells in the reference",
            columns,
            rows,
            colors,
        ),
        "figures": [figure],
    }


def training_section(history: pd.DataFrame) -> list[PageFigure]:
    """Draw each loss term, and the correlation, by epoch."""
    return [
        page_figure(
            term,
            title,
            draw=partial(_loss_figure, history, term),
            alternative=f"{title} by epoch, training and validation",
            table=history.set_index("epoch").filter(regex=f"_{term}$"),
        )
        for term, title in term_titles().items()
    ]


def _loss_figure(history: pd.DataFrame, term: str) -> Figure | SubFigure:
    return pl.loss_curves(history, term=term).figure


def _group_heading(column: str) -> str:
    return "effect size" if column == "effect" else column.replace("median_", "median ", 1)


def groups_section(results: Results, colors: Mapping[str, str]) -> dict[str, Any] | None:
    """Compare groups of samples; None without groups."""
    fractions, groups, table = results.fractions, results.groups, results.group_tests
    if groups is None or table is None:
        return None
    n = groups.value_counts()
    means = fractions.groupby(groups).mean()
    figures = [
        page_figure(
            "groups_composition",
            "Mean composition by group",
            draw=lambda: pl.composition(means).figure,
            alternative="Stacked bars: mean composition of each group",
            table=means,
        ),
        page_figure(
            "groups_fractions",
            "Fractions by group",
            draw=lambda: pl.group_fractions(fractions, groups=groups).figure,
            alternative="Box plots: fractions of each cell type by group",
        ),
    ]
    test = (
        "Kruskal-Wallis test; effect size: ε²"
        if len(n) > 2
        else "Mann-Whitney U test; effect size: rank-biserial correlation"
    )
    return {
        "figures": figures,
        "table": PageTable(
            "groups",
            f"{test}; q: p adjusted for the false discovery rate",
            ["cell type", *(_group_heading(str(name)) for name in table)],
            [[name, *row] for name, row in zip(table.index, table.to_numpy().tolist(), strict=True)],
            colors,
        ),
        "n": {name: int(n[name]) for name in sorted(n.index)},
    }
