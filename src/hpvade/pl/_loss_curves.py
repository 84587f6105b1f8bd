"""Losses and correlation by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from hpvade._errors import InputError
from hpvade.pl import _style
from hpvade.pl._input import require, table_of_numbers
from hpvade.pl._palette import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PHASES = {"train": ("training", COLORS[0], 1.4), "val": ("validation", COLORS[1], 2.0)}
_MAX_LINEAR_RATIO = 20.0  # of the largest to the smallest value; above it the axis is logarithmic


def term_titles() -> dict[str, str]:
    """Return the title of each term of the history, the total loss first and the correlation last."""
    from hpvade.nn import LOSS_LABELS  # noqa: PLC0415 - torch takes a second to import, plots do without

    return {**LOSS_LABELS, "r_type": "Mean r per cell type"}


def loss_curves(history: pd.DataFrame, *, term: str = "loss", ax: Axes | None = None) -> Axes:
    """Draw a loss term, or the correlation on held-out mixtures, by epoch.

    A mark shows the best validation epoch of this term. The axis is logarithmic if the values span more than
    twentyfold. Missing values are not drawn.

    Parameters
    ----------
    history
        One row for each epoch with the columns of ``history.csv``: ``epoch``, ``train_loss``, ``val_loss``,
        ``train_`` and ``val_`` × ``loss_recon``, …, and ``val_r_type``.
    term
        ``"loss"``, ``"loss_recon"``, ``"loss_kl"``, ``"loss_proto"``, ``"loss_prop"``, ``"loss_bulk_recon"``,
        or ``"r_type"``, which is available for validation only.
    ax
        Axes to draw on. Default: those of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        The history lacks the term or the epochs, or the term has no values.
    """
    if not isinstance(history, pd.DataFrame) or "epoch" not in history:
        msg = (
            "history has no column 'epoch'. Pass the table in history.csv, or the history of a trained model."
        )
        raise InputError(msg)
    terms = dict.fromkeys(str(name).partition("_")[2] for name in history if name != "epoch")
    require(term, terms, what="term", place="history")
    columns = {phase: f"{phase}_{term}" for phase in _PHASES if f"{phase}_{term}" in history}
    table = table_of_numbers(
        history[["epoch", *columns.values()]].replace([np.inf, -np.inf], np.nan),
        name="history",
        rows="epochs",
        columns="columns",
    )
    values = table[list(columns.values())].to_numpy()
    if np.isnan(values).all():
        msg = f"history has no values of '{term}', so there is nothing to draw."
        raise InputError(msg)
    ax = _style.axes_or_new(ax, width=4.4, height=2.8)
    _style.dress(ax, x="Epoch", y=term_titles().get(term, term), grid="y")
    smallest, largest = np.nanmin(values), np.nanmax(values)
    if smallest > 0 and largest > _MAX_LINEAR_RATIO * smallest:
        ax.set_yscale("log")
    marker = "o" if len(table) == 1 else ""
    for phase, column in columns.items():
        name, color, width = _PHASES[phase]
        ax.plot(table["epoch"], table[column], color=color, linewidth=width, marker=marker, label=name)
    if len(table) == 1:
        ax.set_xlim(table["epoch"].iloc[0] - 0.6, table["epoch"].iloc[0] + 0.6)
    elif "val" in columns and table[columns["val"]].notna().any():
        _mark_best(ax, table["epoch"], table[columns["val"]], highest=term == "r_type")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    ax.margins(x=0.03, y=0.08)
    _style.legend_inside(ax)
    return ax


def _mark_best(ax: Axes, epochs: pd.Series, values: pd.Series, *, highest: bool) -> None:
    losses = values.to_numpy()
    at = int(np.nanargmax(losses) if highest else np.nanargmin(losses))
    epoch, value = epochs.to_numpy()[at], losses[at]
    (mark,) = ax.plot([epoch], [value], color=_PHASES["val"][1], marker="o", markersize=6, linestyle="")
    mark.set_label(f"best: {value:.3g} (epoch {epoch:.0f})")
