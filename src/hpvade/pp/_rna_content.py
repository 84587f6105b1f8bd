"""RNA content m, the bridge between cell fractions p and RNA fractions r: measured, averaged, or given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade._errors import FileFormatError, LabelError
from hpvade._limits import MAX_CONTENT_RATIO
from hpvade.io import read_text_table
from hpvade.pp._pool import label_sums

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from numpy.typing import NDArray

    from hpvade._types import Array

_MAX_STRETCH = 2.0


def rna_fractions(fractions: Array, rna_content: Array) -> Array:
    """Turn cell fractions into RNA fractions: r_k = p_k m_k / Σ_j p_j m_j.

    Parameters
    ----------
    fractions
        Cell fractions p, shape (..., n_types), each row sums to 1.
    rna_content
        Mean counts m of one cell of each type, shape (n_types,), over the genes that r refers to.

    Returns
    -------
    RNA fractions r, same shape; each row sums to 1.
    """
    weighted = fractions * rna_content
    return weighted / weighted.sum(-1)[..., None]


def cell_fractions(rna_fractions: Array, rna_content: Array) -> Array:
    """Turn RNA fractions into cell fractions: p_k = (r_k / m_k) / Σ_j (r_j / m_j).

    The inverse of `rna_fractions`, with the same shapes.
    """
    weighted = rna_fractions / rna_content
    return weighted / weighted.sum(-1)[..., None]


def consensus_rna_content(content: NDArray[np.float64]) -> NDArray[np.float64]:
    """Combine the RNA contents of several references into one.

    Saturated libraries, filters on counts and types sorted into separate libraries all make the types look
    more alike than they are. The consensus therefore has the mean pattern d over references (of centred
    log m), at the strength of the reference that shows it most clearly: log m_k = c + s · d_k. Here s is the
    largest slope of a reference's centred log m on d, at most 2 (the mean slope is 1). The limit keeps
    references that contradict each other, and so have a weak mean pattern, from inflating it.

    Parameters
    ----------
    content
        Mean counts of one cell over the same genes, shape (n_references, n_types). NaN where a reference
        lacks the type; means and slopes are then taken over the types that all references have.

    Returns
    -------
    Consensus, shape (n_types,); over those types its geometric mean is that of ``content``.
    """
    log = np.log(content)
    common = np.isfinite(log).all(0)
    level = log[:, common].mean(1, keepdims=True)
    centred = log - level
    pattern = np.nanmean(centred, axis=0)
    strength = pattern[common] @ pattern[common]
    stretch = (centred[:, common] @ pattern[common]).max() / strength if strength > 0 else 1.0
    stretch = min(stretch, _MAX_STRETCH)
    return np.asarray(np.exp(level.mean() + stretch * pattern), dtype=np.float64)


def read_rna_content(path: str | Path) -> dict[str, float]:
    """Read a table of RNA content: columns ``cell_type`` and ``rna_content``, tab-separated.

    Raises
    ------
    FileFormatError
        The file cannot be read, lacks a column, lists a type twice, or contains a value that is not a number.
    """
    try:
        table = read_text_table(Path(path))
        missing = [name for name in ("cell_type", "rna_content") if name not in table]
        if missing:
            msg = f"column '{missing[0]}' is missing; the columns are: {', '.join(map(str, table.columns))}"
            raise ValueError(msg)
        repeated = table["cell_type"][table["cell_type"].duplicated()]
        if len(repeated):
            msg = f"cell type '{repeated.iloc[0]}' is listed more than once"
            raise ValueError(msg)
        values = table["rna_content"].astype(float)
    except (OSError, ValueError) as error:
        msg = f"The RNA content table {path} cannot be read: {error}."
        raise FileFormatError(msg) from error
    return dict(zip(table["cell_type"], values, strict=True))


def apply_rna_content(reference: AnnData, content: Mapping[str, float], *, labels_key: str) -> None:
    """Set the RNA content of each cell type; only ratios between types matter.

    Writes ``obs["hpvade_rna_weight"]``, the factor on each cell's counts in mixtures and in m.

    Parameters
    ----------
    reference
        Cells × genes with ``layers["counts"]``.
    content
        Cell type → mean RNA content of one cell, in any unit.
    labels_key
        Column of ``obs`` with the cell type.

    Raises
    ------
    LabelError
        A type of the reference is missing, its content is not positive, or far from that of another type.
    """
    labels = reference.obs[labels_key].astype(str)
    for cell_type in sorted(labels.unique()):
        if not _is_positive(content.get(cell_type)):
            found = f"the RNA content {content[cell_type]!r}" if cell_type in content else "no RNA content"
            msg = f"Cell type '{cell_type}' has {found}. Give a positive number for every cell type."
            raise LabelError(msg)
    low, high = (extreme((content[name], name) for name in labels.unique()) for extreme in (min, max))
    if high[0] > MAX_CONTENT_RATIO * low[0]:
        msg = (
            f"The RNA content of '{high[1]}' is {high[0] / low[0]:.3g} times that of '{low[1]}'; at most "
            f"{MAX_CONTENT_RATIO:,} is possible. Check the numbers."
        )
        raise LabelError(msg)
    if (pooled := label_sums(reference)) is not None:
        measured = labels.map(pooled.counts.sum() / pooled.n_cells).to_numpy(np.float64)
    else:
        totals = np.asarray(reference.layers[_keys.COUNTS].sum(1), dtype=np.float64).ravel()
        source = reference.obs[_keys.REFERENCE].astype(str) if _keys.REFERENCE in reference.obs else labels
        groups = [source.to_numpy(), labels.to_numpy()]  # each reference measures a type separately
        measured = pd.Series(totals).groupby(groups).transform("mean").to_numpy()
    if (measured == 0).any():
        msg = f"Cell type '{labels[measured == 0].iloc[0]}' has no counts. Leave it out of the reference."
        raise LabelError(msg)
    weight = labels.map(dict(content)).to_numpy(np.float64) / measured
    reference.obs[_keys.RNA_WEIGHT] = weight / np.exp(np.log(weight).mean())


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value)) and bool(value > 0)
