"""Figures of `hpvade.pl` as SVG in the fonts and colours of the page."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup, escape
from matplotlib import rc_context

from hpvade._errors import InputError
from hpvade.pl._style import GRID, INK, MUTED

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from matplotlib.figure import Figure, SubFigure

_PIXELS = 92  # per inch of a figure
_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)"}


class PageFigure(NamedTuple):
    """A figure of the page, with its data as a table to download, if any.

    ``svg`` is empty if there was nothing to draw; ``note`` then gives the reason.
    """

    name: str
    title: str
    svg: Markup
    width: int  # pixels
    table: str | None = None  # TSV
    note: str = ""


def page_figure(
    name: str,
    title: str,
    *,
    draw: Callable[[], Figure | SubFigure],
    alternative: str,
    table: pd.DataFrame | None = None,
    note: str = "",
) -> PageFigure:
    """Convert a Matplotlib figure; if there is nothing to draw, the note gives the reason.

    Parameters
    ----------
    name
        Name of the files to download, unique on the page.
    title
        Heading of the figure.
    draw
        Function that draws the figure in the colours of `hpvade.pl`.
    alternative
        Description for readers who cannot see the figure.
    table
        Data of the figure, to download.
    note
        Text below the figure.
    """
    tsv = None if table is None else table.to_csv(sep="\t", float_format="%.6g", lineterminator="\n")
    try:
        figure = draw().get_figure(root=True)
    except InputError as error:
        return PageFigure(name, title, Markup(""), _PIXELS * 4, tsv, str(error))
    width = round(figure.get_figwidth() * _PIXELS)
    return PageFigure(name, title, _svg(figure, alternative=alternative), width, tsv, note)


def _svg(figure: Figure, *, alternative: str) -> Markup:
    buffer = io.StringIO()
    # Text stays text: it can be searched, read aloud and set in the font of the page.
    # A fixed salt makes the element ids of a figure reproducible.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "hpvade"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r' id="[a-zA-Z0-9]*_\d+"', "", text)  # ids of groups repeat between figures
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, variable)
    return Markup(text.replace("<svg ", f'<svg role="img" aria-label="{escape(alternative)}" ', 1))
