"""How training went."""

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

_TITLES = {
    "loss": "Loss",
    "loss_recon": "Loss of the cells' reconstruction",
    "loss_kl": "KL divergence of the latent",
    "loss_proto": "Distance to the prototypes",
    "loss_prop": "Loss of the fractions",
    "loss_bulk_recon": "Loss of the bulk's reconstruction",
    "r_type": "r, mean over cell types",
}
_PHASES = {"train": ("training", COLORS[0], 1.4), "val": ("validation", COLORS[1], 2.0)}
_LARGEST_LINEAR = 20.0  # ratio of the largest to the smallest value above which the axis is logarithmic


def loss_curves(history: pd.DataFrame, *, term: str = "loss", ax: Axes | None = None) -> Axes:
    """Draw a term of the loss, or the correlation on held-out mixtures, epoch by epoch.

    A mark shows the best epoch of the validation by this term. The axis is logarithmic where the values span
    more than twentyfold. Missing values are not drawn.

    Parameters
    ----------
    history
        One row for each epoch with the columns of ``history.csv``: ``epoch``, ``train_loss``, ``val_loss``,
        ``train_`` and ``val_`` × ``loss_recon``, …, and ``val_r_type``.
    term
        ``"loss"``, ``"loss_recon"``, ``"loss_kl"``, ``"loss_proto"``, ``"loss_prop"``, ``"loss_bulk_recon"``,
        or ``"r_type"``, which there is of the validation only.
    ax
        Axes to draw on. Default: those of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        The history lacks the term or the epochs, or has no value of the term.
    """
    if not isinstance(history, pd.DataFrame) or "epoch" not in history:
        msg = (
            "history has no column 'epoch'. Give the table of history.csv, or the history of a trained model."
        )
        raise InputError(msg)
    known = dict.fromkeys(str(name).partition("_")[2] for name in history if name != "epoch")
    require(term, known, what="term", place="history")
    columns = {phase: f"{phase}_{term}" for phase in _PHASES if f"{phase}_{term}" in history}
    table = table_of_numbers(
        history[["epoch", *columns.values()]].replace([np.inf, -np.inf], np.nan),
        name="history",
        rows="epochs",
        columns="columns",
    )
    values = table[list(columns.values())].to_numpy()
    if np.isnan(values).all():
        msg = f"history has no value of '{term}'. There is nothing to draw."
        raise InputError(msg)
    ax = _style.axes_or_new(ax, width=4.4, height=2.8)
    _style.dress(ax, x="Epoch", y=_TITLES.get(term, term), grid="y")
    smallest, largest = np.nanmin(values), np.nanmax(values)
    if smallest > 0 and largest > _LARGEST_LINEAR * smallest:
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
    of_epochs = values.to_numpy()
    at = int(np.nanargmax(of_epochs) if highest else np.nanargmin(of_epochs))
    epoch, value = epochs.to_numpy()[at], of_epochs[at]
    (mark,) = ax.plot([epoch], [value], color=_PHASES["val"][1], marker="o", markersize=6, linestyle="")
    mark.set_label(f"best {value:.3g}, epoch {epoch:.0f}")
