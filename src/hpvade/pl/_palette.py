"""One colour per cell type, the same in every plot, the report and the local page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade import _keys

if TYPE_CHECKING:
    from collections.abc import Sequence

# Found by a search of sRGB for twelve colours and a grey that are at least 17 apart in CIELAB for normal
# vision and for protanopia, deuteranopia and tritanopia as simulated by Machado, Oliveira & Fernandes (2009),
# with a lightness of 37 to 81 for contrast with white and near-black. tests/pl/test_palette.py checks this.
COLORS = (
    "#4292e7", "#e77246", "#20bc7b", "#6d51a9", "#d9c04a", "#48d9fd",
    "#a3215d", "#e18fcd", "#60780c", "#996248", "#a3d67d", "#247780",
)  # fmt: skip
UNKNOWN_COLOR = "#9a9a9a"
_SHADES = (0.0, 0.42, 0.24, 0.58)  # of each successive dozen: how far towards black or white
_DARK = 0.45  # darker colours are lightened, brighter ones darkened


def cell_type_colors(cell_types: Sequence[str]) -> dict[str, str]:
    """Assign a colour to each cell type.

    The first twelve colours are distinguishable with any common colour blindness. From the 13th type the hues
    recur in lighter or darker shades; from the 49th the colours repeat.

    Parameters
    ----------
    cell_types
        Names; the same names in the same order get the same colours. ``"unknown"``, the column of unknown
        content, is always grey and does not use up a colour.

    Returns
    -------
    Name → colour, ``"#rrggbb"``, in the given order.

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
