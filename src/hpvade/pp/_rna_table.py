"""RNA content given by the user instead of the one that the reference shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade._errors import FileFormatError, LabelError
from hpvade.pp._pool import sums_of_labels

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
        found = (
            f"has the RNA content {content[cell_type]!r}" if cell_type in content else "has no RNA content"
        )
        if not _is_positive(content.get(cell_type)):
            msg = f"Cell type '{cell_type}' {found}. Give a positive number for every type of the reference."
            raise LabelError(msg)
    if (told := sums_of_labels(reference)) is not None:
        measured = labels.map(told[0].sum() / told[1]).to_numpy(np.float64)
    else:
        totals = np.asarray(reference.layers[_keys.COUNTS].sum(1), dtype=np.float64).ravel()
        source = reference.obs[_keys.REFERENCE].astype(str) if _keys.REFERENCE in reference.obs else labels
        groups = [source.to_numpy(), labels.to_numpy()]  # each reference measures a type for itself
        measured = pd.Series(totals).groupby(groups).transform("mean").to_numpy()
    if (measured == 0).any():
        msg = f"Cell type '{labels[measured == 0].iloc[0]}' has no counts. Leave it out of the reference."
        raise LabelError(msg)
    weight = labels.map(dict(content)).to_numpy(np.float64) / measured
    reference.obs[_keys.RNA_WEIGHT] = weight / np.exp(np.log(weight).mean())


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value)) and bool(value > 0)
