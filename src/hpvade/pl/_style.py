"""Shared style of all plots: colours other than those of data, text sizes, axes and legends.

For a dark background, replace INK, MUTED and GRID in a plot. No data have these colours, and backgrounds are
left to Matplotlib.
"""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredOffsetbox, TextArea, VPacker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

INK = "#24292f"  # text, axes
MUTED = "#6e7781"  # secondary text, reference lines
GRID = "#d8dee4"  # light lines

TITLE_SIZE = 10
TEXT_SIZE = 9
SMALL_SIZE = 8

# Size of text of SMALL_SIZE, inches.
LINE = 0.135
TICK = 0.145  # vertical text below the axes
_CHARACTER = 0.066
_LEGEND_MARK = 0.32

_MAX_LINE = 28  # characters, in a legend
_MAX_TICK = 22
_MAX_MARKS = 2_000  # an SVG with more of them is slow to show


def axes_or_new(ax: Axes | None, *, width: float, height: float) -> Axes:
    """Return the given axes, or those of a new figure of ``width`` × ``height`` inches."""
    return Figure(figsize=(width, height), layout="constrained").add_subplot() if ax is None else ax


def dress(ax: Axes, *, x: str = "", y: str = "", grid: Literal["x", "y", "both"] | None = None) -> None:
    """Set colours and sizes of axes and ticks, the labels ``x`` and ``y``, and the grid lines."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set(color=INK, linewidth=0.8)
    ax.tick_params(which="both", color=INK, labelcolor=INK, labelsize=SMALL_SIZE, length=3, width=0.8)
    ax.tick_params(which="minor", length=0)
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_offset_text().set(color=INK, fontsize=SMALL_SIZE)
    ax.set_xlabel(x, color=INK, fontsize=TEXT_SIZE)
    ax.set_ylabel(y, color=INK, fontsize=TEXT_SIZE)
    ax.set_axisbelow(True)
    if grid is not None:
        ax.grid(axis=grid, color=GRID, linewidth=0.7)


def title(ax: Axes, text: str) -> None:
    """Write a title above the axes, aligned left."""
    ax.set_title(readable(text, max_line=40), color=INK, fontsize=TITLE_SIZE, loc="left")


def corner_text(ax: Axes, text: str, *, muted: str = "", lower_right: bool = False) -> None:
    """Write in a corner that a plot around the diagonal leaves free, ``muted`` below ``text``."""
    side: Literal["left", "right"] = "right" if lower_right else "left"
    lines: list[Artist] = [
        TextArea(words, textprops={"color": color, "fontsize": SMALL_SIZE, "multialignment": side})
        for words, color in ((text, INK), (muted, MUTED))
        if words
    ]
    packed = VPacker(children=lines, pad=0, sep=3, align=side)
    place = "lower right" if lower_right else "upper left"
    ax.add_artist(AnchoredOffsetbox(place, child=packed, frameon=False, pad=0.2, borderpad=0.4))


def diagonal(ax: Axes, *, end: float) -> None:
    """Draw the line of equality from 0 to ``end``."""
    ax.plot([0, end], [0, end], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)


def readable(name: object, *, max_line: int = _MAX_LINE) -> str:
    """Return a name that Matplotlib shows verbatim, in lines of at most ``max_line`` characters."""
    return textwrap.fill(str(name), max_line).replace("$", r"\$")


def shortened(name: object) -> str:
    """Return a name, with its middle omitted if it is too long for a tick."""
    text = str(name)
    if len(text) > _MAX_TICK:
        text = f"{text[: _MAX_TICK // 2]}…{text[1 - _MAX_TICK // 2 :]}"
    return text.replace("$", r"\$")


def names_fit(n: int, *, width: float) -> bool:
    """Return whether the names of ``n`` samples fit below axes ``width`` inches wide."""
    return n * LINE <= width


def name_samples(ax: Axes, names: Sequence[object], *, width: float) -> None:
    """Name the samples at 0, 1, … below the axes, or give their number if the names do not fit.

    ``width`` is the width of the axes, inches.
    """
    if names_fit(len(names), width=width):
        ax.set_xticks(range(len(names)), [shortened(name) for name in names], rotation=90)
        ax.tick_params(axis="x", length=0)
    else:
        ax.set_xticks([])
        ax.set_xlabel(f"{len(names):,} samples", color=INK, fontsize=TEXT_SIZE)


def legend_size(names: Sequence[str], *, height: float) -> tuple[int, float]:
    """Return the number of columns of a legend at most ``height`` inches high, and its width, inches."""
    lines = [line for name in names for line in readable(name).split("\n")]
    needed = len(lines) * LINE + len(names) * 0.055
    n_columns = max(1, math.ceil(needed / height))
    return n_columns, n_columns * (max(map(len, lines)) * _CHARACTER + _LEGEND_MARK) + 0.15


def legend_beside(ax: Axes, handles: Sequence[Artist], *, n_columns: int = 1) -> Legend:
    """Add a legend to the right of the axes; a constrained layout makes room for it."""
    return ax.legend(
        handles=handles,
        ncols=n_columns,
        loc="upper left",
        bbox_to_anchor=(1.02, 1),
        borderaxespad=0,
        frameon=False,
        fontsize=SMALL_SIZE,
        labelcolor=INK,
        handlelength=1.1,
        handleheight=1.0,
        handletextpad=0.6,
        columnspacing=1.2,
    )


def cell_type_legend(ax: Axes, colors: Mapping[str, str], *, n_columns: int) -> Legend:
    """Add a legend with a dot per cell type to the right of the axes."""
    handles = [Line2D([], [], color=color, label=readable(name)) for name, color in colors.items()]
    for handle in handles:
        handle.set(marker="o", linestyle="", markersize=5)
    return legend_beside(ax, handles, n_columns=n_columns)


def legend_inside(
    ax: Axes, place: Literal["best", "lower right"] = "best", *, reverse: bool = False
) -> Legend:
    """Add a legend of all labelled artists inside the axes."""
    return ax.legend(
        loc=place, reverse=reverse, frameon=False, fontsize=SMALL_SIZE, labelcolor=INK, handlelength=1.4
    )


def axes_width(ax: Axes) -> float:
    """Return the width of axes, inches, as far as known before the figure is drawn."""
    return float(ax.bbox.width / ax.figure.dpi)


def mark_area(n: int) -> float:
    """Return the area of one of ``n`` marks, points²; together they fill about the same part of the axes."""
    return min(24.0, max(4.0, 10_000 / max(n, 1)))


def mark_alpha(n: int) -> float:
    """Return the opacity of one of ``n`` marks."""
    return 0.85 if n <= 300 else 0.6 if n <= _MAX_MARKS else 0.4


def is_rasterized(n: int) -> bool:
    """Return whether ``n`` marks are too many for a vector graphic and must be rasterized."""
    return n > _MAX_MARKS
