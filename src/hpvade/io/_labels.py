"""Columns of ``obs`` that carry names: cell types and donors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade._errors import LabelError, absent_column

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

# What a missing label turns into when someone calls .astype(str) on the column.
_WRITTEN_OUT_MISSING = ("", "nan", "NaN", "NA", "<NA>", "None")


def is_missing_label(labels: pd.Series) -> pd.Series:
    """Say for each label whether it is missing: NaN, an empty string, or a written-out NaN.

    Parameters
    ----------
    labels
        Labels, shape (n_cells,).

    Returns
    -------
    Booleans, shape (n_cells,), with the same index.
    """
    return labels.isna() | labels.astype(str).str.strip().isin(_WRITTEN_OUT_MISSING)


def as_categories(labels: pd.Series) -> pd.Series:
    """Turn labels into categories that are strings; missing ones become NaN."""
    text = labels.astype(object).where(~is_missing_label(labels))
    return text.map(str, na_action="ignore").astype("category")


def require_column(obs: pd.DataFrame, key: str, *, option: str, path: Path) -> None:
    """Raise `LabelError` if ``obs`` has no column ``key``; ``option`` is how the user named it."""
    if key in obs.columns:
        return
    raise LabelError(absent_column(key, obs, option=option, place=f"the obs of {path}"))


def categorise_names(obs: pd.DataFrame, *, labels_key: str, donor_key: str | None, path: Path) -> None:
    """Turn the columns of labels and donors into categories of strings, in place.

    Raises
    ------
    LabelError
        There is no such column.
    """
    for key, option in ((labels_key, "labels_key"), (donor_key, "donor_key")):
        if key is not None:
            require_column(obs, key, option=option, path=path)
            obs[key] = as_categories(obs[key])
