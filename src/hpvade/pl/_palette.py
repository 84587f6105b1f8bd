"""One colour for each cell type, the same in every plot, the report and the local page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade import _keys

if TYPE_CHECKING:
    from collections.abc import Sequence

# Found by a search of sRGB for twelve colours and a grey that stay far apart in CIELAB (17 or more) for
# normal vision and for protanopia, deuteranopia and tritanopia as Machado, Oliveira & Fernandes (2009)
# simulate them, with a lightness of 37 to 81, to stand out from white and from near-black.
# tests/pl/test_palette.py measures this again.
COLORS = (
    "#4292e7", "#e77246", "#20bc7b", "#6d51a9", "#d9c04a", "#48d9fd",
    "#a3215d", "#e18fcd", "#60780c", "#996248", "#a3d67d", "#247780",
)  # fmt: skip
UNKNOWN_COLOR = "#9a9a9a"
_SHADES = (0.0, 0.42, 0.24, 0.58)  # of each next dozen: how far towards black or white
_DARK = 0.45  # a colour below this brightness is made lighter, one above it darker


def cell_type_colors(cell_types: Sequence[str]) -> dict[str, str]:
    """Give each cell type a colour.

    Twelve colours can be told apart with any common colour blindness. From the 13th type on the same hues
    come again, lighter where they are dark and darker where they are light; from the 49th on they repeat.

    Parameters
    ----------
    cell_types
        Names; the same names in the same order have the same colours. ``"unknown"``, the column of unknown
        content, is grey wherever it stands, and takes no colour from the others.

    Returns
    -------
    Name → colour, ``"#rrggbb"``, in the order given.

    Examples
    --------
    >>> cell_type_colors(["B", "unknown", "T"])
    {'B': '#4292e7', 'unknown': '#9a9a9a', 'T': '#e77246'}
    """
    names = list(dict.fromkeys(cell_types))
    known = [name for name in names if name != _keys.UNKNOWN]
    colors = {name: _nth_color(i) for i, name in enumerate(known)}
    return {name: colors.get(name, UNKNOWN_COLOR) for name in names}


def _nth_color(n: int) -> str:
    color = COLORS[n % len(COLORS)]
    shade = _SHADES[n // len(COLORS) % len(_SHADES)]
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    target = 255 if 0.299 * red + 0.587 * green + 0.114 * blue < 255 * _DARK else 0
    return "#" + "".join(f"{round(part + (target - part) * shade):02x}" for part in (red, green, blue))
