"""Figures of `hpvade.pl` as SVG that follows the page: its text, and its light or dark."""

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

_PIXELS = 92  # of the page for an inch of a figure
_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)"}


class PageFigure(NamedTuple):
    """A figure of the page, with the table behind it where there is one to download.

    ``svg`` is empty where there was nothing to draw; ``note`` then says why.
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
    """Make a figure of the page from one of Matplotlib; where there is nothing to draw, it says why.

    Parameters
    ----------
    name
        Of the files to download, unique on the page.
    title
        Above the figure.
    draw
        Draws the figure, in the colours of `hpvade.pl`.
    alternative
        What the figure shows, for those who cannot see it.
    table
        What is drawn, to download.
    note
        Below the figure.
    """
    tsv = None if table is None else table.to_csv(sep="\t", float_format="%.6g", lineterminator="\n")
    try:
        whole = draw().get_figure(root=True)
    except InputError as error:
        return PageFigure(name, title, Markup(""), _PIXELS * 4, tsv, str(error))
    width = round(whole.get_figwidth() * _PIXELS)
    return PageFigure(name, title, _svg(whole, alternative=alternative), width, tsv, note)


def _svg(figure: Figure, *, alternative: str) -> Markup:
    buffer = io.StringIO()
    # Text stays text: it can be found, read aloud and set in the page's font.
    # With a salt of its own the same figure gives the same names of its parts.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "hpvade"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r' id="[a-zA-Z0-9]*_\d+"', "", text)  # of groups, the same in all figures
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, variable)
    return Markup(text.replace("<svg ", f'<svg role="img" aria-label="{escape(alternative)}" ', 1))
