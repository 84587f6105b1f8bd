"""RNA content given by the user instead of the one that the reference shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade._errors import FileFormatError, LabelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData


def read_rna_content(path: str | Path) -> dict[str, float]:
    """Read a table of RNA content: columns ``cell_type`` and ``rna_content``, tab-separated.

    Raises
    ------
    FileFormatError
        The file cannot be read, lacks a column, names a type twice, or holds something that is no number.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype={"cell_type": str}, keep_default_na=False)
        missing = [name for name in ("cell_type", "rna_content") if name not in table]
        if missing:
            msg = f"it lacks the column '{missing[0]}' and has: {', '.join(map(str, table.columns))}"
            raise ValueError(msg)
        if table["cell_type"].duplicated().any():
            msg = f"'{table['cell_type'][table['cell_type'].duplicated()].iloc[0]}' stands there twice"
            raise ValueError(msg)
        values = table["rna_content"].astype(float)
    except (OSError, ValueError) as error:
        msg = f"The RNA content {path} cannot be read: {error}."
        raise FileFormatError(msg) from error
    return dict(zip(table["cell_type"], values, strict=True))


def apply_rna_content(reference: AnnData, content: Mapping[str, float], *, labels_key: str) -> None:
    """Let cells of each type hold a given amount of RNA; only ratios between types matter.

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
        A type of the reference is missing, or its content is not positive.
    """
    labels = reference.obs[labels_key].astype(str)
    for cell_type in sorted(labels.unique()):
        value = content.get(cell_type, np.nan)
        if not (np.isfinite(value) and value > 0):
            found = f"has the RNA content {value}" if cell_type in content else "has no RNA content"
            msg = f"Cell type '{cell_type}' {found}. Give a positive number for every type of the reference."
            raise LabelError(msg)
    totals = pd.Series(np.asarray(reference.layers[_keys.COUNTS].sum(1)).ravel(), index=labels.index)
    measured = totals.groupby(labels).mean()
    factor = pd.Series(content)[measured.index] / measured
    factor /= np.exp(np.log(factor).mean())
    reference.obs[_keys.RNA_WEIGHT] = labels.map(factor).astype(float)
