"""Cell types can be told apart, also with colour blindness."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import hpvade
from hpvade.pl._style import GRID, INK, MUTED

TYPES = [f"type {i}" for i in range(12)]
# Machado, Oliveira & Fernandes (2009), IEEE Trans Vis Comput Graph 15:1291, severity 1, on linear RGB.
SIMULATED = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900],
    ],
}  # fmt: skip
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)  # IEC 61966-2-1


def linear_rgb(color):
    srgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(color, *, seen_by="normal"):
    """CIELAB of a colour, white D65 (CIE 15)."""
    rgb = np.clip(np.asarray(SIMULATED[seen_by]) @ linear_rgb(color), 0, 1)
    ratio = TO_XYZ @ rgb / TO_XYZ.sum(1)
    x, y, z = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def nearest(colors, *, seen_by):
    seen = [lab(color, seen_by=seen_by) for color in colors]
    return min(np.linalg.norm(a - b) for a, b in combinations(seen, 2))


def contrast(color, background):
    """Contrast ratio of WCAG 2."""
    lighter, darker = sorted((TO_XYZ[1] @ linear_rgb(c) + 0.05 for c in (color, background)), reverse=True)
    return lighter / darker


def test_lab_of_known_colors():
    np.testing.assert_allclose(lab("#ffffff"), [100, 0, 0], atol=0.02)
    np.testing.assert_allclose(lab("#ff0000"), [53.24, 80.09, 67.20], atol=0.05)


@pytest.mark.parametrize("seen_by", SIMULATED)
def test_twelve_types_and_unknown_are_far_apart(seen_by):
    colors = hpvade.pl.cell_type_colors([*TYPES, "unknown"]).values()
    assert nearest(colors, seen_by=seen_by) > 17


def test_twelve_types_stand_out_from_white_and_from_near_black():
    for color in hpvade.pl.cell_type_colors([*TYPES, "unknown"]).values():
        assert contrast(color, "#ffffff") > 1.55
        assert contrast(color, "#15181d") > 2
        assert 36 < lab(color)[0] < 82


def test_further_types_have_distinct_colors():
    colors = list(hpvade.pl.cell_type_colors([f"type {i}" for i in range(48)]).values())
    assert nearest(colors, seen_by="normal") > 2.5
    assert nearest(colors[:30], seen_by="normal") > 5
    assert colors[:12] == list(hpvade.pl.cell_type_colors(TYPES).values())


def test_order_unknown_and_repeats():
    colors = hpvade.pl.cell_type_colors(["T", "unknown", "B", "T"])
    assert list(colors) == ["T", "unknown", "B"]
    assert [colors["T"], colors["B"]] == list(hpvade.pl.cell_type_colors(["T", "B"]).values())
    assert colors["unknown"] == hpvade.pl.cell_type_colors(["unknown"])["unknown"] == "#9a9a9a"
    assert hpvade.pl.cell_type_colors([]) == {}


def test_data_and_text_never_share_a_color():
    colors = hpvade.pl.cell_type_colors([*(f"type {i}" for i in range(48)), "unknown"]).values()
    assert not {INK, MUTED, GRID} & set(colors)
