"""Published RNA contents of blood and immune cells, and what they say about the types of a reference."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hpvade.pp import is_comparable, is_human
from hpvade.pp._spaces import CPM_TOTAL
from hpvade.world._likeness import compare
from hpvade.world._lineages import B, T, lineages
from hpvade.world._profiles import shipped_world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_UNIT = "CD4 T"
_USUAL_SD, _USUAL_WEIGHT = 0.35, 2  # of the tables about their mean, log; counts as this many tables
# Dividing, malignant and immature cells are unlike others of their kind; some labels say what is not there.
_OTHERS = "|".join(
    (
        r"\bprolif|\bcycling|\bdividing",
        r"malignan|lymphoma|leuka?emi|myeloma|cancer|neoplas|^tumou?r$|\b(all|aml|cll|cml|blasts?)\b",
        r"progenitor|precursor|\b(pro|pre) ",
        r"doublet|\b(non|not|like|mast|ilc\d?)\b|\btype b\b|\bgroup\b",
        r"\bi?nkt\b|nk t\b|double (negative|positive)|\bdn\d?\b",
    )
)
_GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta"}
_PLASMA = r"\bplasma(?!cytoid)|\b\w*plasma ?(cells?|blasts?)\b"
# Kinds within a lineage, by patterns of a label in lower case; the last one stands for all others.
_KINDS: dict[str, dict[str, str]] = {
    B: {"B": ""},
    T: {
        "regulatory T": r"\bt ?regs?\b|regulatory|foxp3",
        "MAIT": r"\bmait\b|mucosal",
        "gamma-delta T": r"\bt?gdt?\b|gamma ?delta",
        "": r"cd4\b.*(cytotoxic|\bctls?\b|cd8)",  # several kinds
        "CD8 T": r"\bcd8|cytotoxic|\bctls?\b",
        "CD4 T": "",
    },
    "NK": {"NK": ""},
    "monocyte": {
        "": r"mono.*\bmac",
        "macrophage": r"macrophage|\bmac(ro)?s?\b|\btams?\b|kupffer",
        "monocyte": "",
    },
    "plasmacytoid": {"plasmacytoid dendritic": ""},
    "dendritic": {"plasmacytoid dendritic": r"\bpdcs?\b|plasmacytoid", "myeloid dendritic": ""},
    "neutrophil": {"neutrophil": ""},
    "basophil": {"basophil": ""},
}


class ExpectedContent(NamedTuple):
    """RNA content of each type after published values were taken into account.

    Attributes
    ----------
    content
        Shape (n_types,), in the unit of the measured content.
    log_sd
        Standard deviation of its logarithm, shape (n_types,).
    cells
        Kind of cell of the published value, for each type; empty for a type that was left as measured.
    """

    content: NDArray[np.float64]
    log_sd: NDArray[np.float64]
    cells: list[str]


@cache
def published_content() -> pd.DataFrame:
    """Return the published RNA contents relative to a CD4 T cell.

    The table ``rna_content.tsv`` has those of EPIC (Racle et al., 2017), quanTIseq (Finotello et al., 2019),
    ABIS (Monaco et al., 2019) and Kassandra (Zaitsev et al., 2022), without values that they assume. Values
    that ABIS gives for naive and memory cells were averaged.

    Returns
    -------
    Kind of cell × ``log_mean``, the mean over the tables of the log ratio, and ``log_sd``, the standard
    deviation of the tables about it. As there are one to four tables, their variance is averaged with a usual
    one (0.35²) that counts as two tables.
    """
    with (files("hpvade.world") / "rna_content.tsv").open() as file:
        table = pd.read_csv(file, sep="\t", index_col="cells")
    log_ratio = (table / table.loc[_UNIT]).apply(np.log)
    mean, n = log_ratio.mean(axis=1), log_ratio.notna().sum(axis=1)
    squares = log_ratio.sub(mean, axis=0).pow(2).sum(axis=1)
    variance = (squares + _USUAL_WEIGHT * _USUAL_SD**2) / (n - 1 + _USUAL_WEIGHT)
    return pd.DataFrame({"log_mean": mean, "log_sd": np.sqrt(variance)})


def named_cells(label: str) -> str | None:
    """Return the kind of cell with a published RNA content that a label names.

    Returns
    -------
    None for a label that names several kinds, or cells unlike others of their kind; empty for one that names
    none of these cells.

    Examples
    --------
    >>> [named_cells(label) for label in ("CD14+ Mono", "Tregs", "plasmablasts", "T/NK", "cluster 7")]
    ['monocyte', 'regulatory T', 'plasma', None, '']
    """
    for letter, name in _GREEK.items():
        label = label.replace(letter, name)
    words = re.sub(r"[^a-z0-9]+", " ", label.lower()).strip()
    if re.search(_OTHERS, words):
        return None
    found = lineages(label)
    if re.search(_PLASMA, words) and found <= {B}:
        return "plasma"
    if "dendritic" in found:
        found -= {"plasmacytoid"}
    if len(found) != 1:
        return None if found else ""
    kinds = _KINDS.get(next(iter(found)), {})
    return next((kind for kind, pattern in kinds.items() if re.search(pattern, words)), "") or None


def expected_content(
    counts: NDArray[np.float64],
    labels: Sequence[str],
    *,
    symbols: NDArray[np.str_],
    measured_sd: float,
) -> ExpectedContent:
    """Combine the RNA content that a reference measured with published values.

    For types with a published value, log m_k = c + θ_k + error of the reference, and θ_k is normal about the
    mean of the tables with their standard deviation. The scale c is that which agrees best, and the result is
    the posterior mean c + θ_k: the more the tables agree on a type, the closer it comes to them. All other
    types are left as measured.

    Parameters
    ----------
    counts
        Mean counts of a cell of each type, shape (n_genes, n_types).
    labels
        Name of each type. A name that the expression contradicts counts for nothing; a name that says nothing
        is replaced by that of a profile that the type resembles.
    symbols
        Gene symbols, shape (n_genes,). The tables say nothing about species that write them in lower case.
    measured_sd
        Standard deviation of log m about its value in bulk samples.
    """
    measured = counts.sum(0)
    log_sd = np.full(len(labels), measured_sd)
    cells = _cells(counts, labels, symbols=symbols)
    known = np.array([bool(name) for name in cells], dtype=bool)
    if known.sum() < 2:  # only ratios matter
        return ExpectedContent(measured, log_sd, [""] * len(labels))
    prior = published_content().loc[[name for name in cells if name]]
    mean, sd = prior["log_mean"].to_numpy(), prior["log_sd"].to_numpy()
    log = np.log(measured)
    difference = log[known] - mean
    scale = np.average(difference, weights=1 / (sd**2 + measured_sd**2))
    trust = sd**2 / (sd**2 + measured_sd**2)  # in the measurement
    log[known] = scale + mean + trust * (difference - scale)
    log_sd[known] = np.sqrt(trust) * measured_sd
    return ExpectedContent(np.exp(log), log_sd, cells)


def _cells(counts: NDArray[np.float64], labels: Sequence[str], *, symbols: NDArray[np.str_]) -> list[str]:
    """Kind of cell of each type by its label, unless its expression contradicts it, or by its expression."""
    named = [named_cells(label) for label in labels]
    if not is_human(symbols):
        return [""] * len(labels)
    usable = is_comparable(symbols)
    cpm = counts / counts[usable].sum(0) * CPM_TOTAL
    likeness = compare(shipped_world(), cpm, symbols=symbols, usable=usable)
    cells = []
    for k, (label, name) in enumerate(zip(labels, named, strict=True)):
        seen = "" if likeness is None or name is None else likeness.cells_of(k)
        is_believed = not seen or (name and likeness is not None and likeness.agrees(k, lineages(label)))
        cells.append((name if is_believed else named_cells(seen)) or "")
    return cells
