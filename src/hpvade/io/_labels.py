"""The columns of ``obs`` with cell types and donors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade._errors import LabelError, absent_column

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

# How .astype(str) writes a missing label.
_MISSING_AS_TEXT = ("", "nan", "NaN", "NA", "<NA>", "None")


def is_missing_label(labels: pd.Series) -> pd.Series:
    """Return for each label whether it is missing: NaN, an empty string, or NaN as text.

    Parameters
    ----------
    labels
        Labels, shape (n_cells,).

    Returns
    -------
    Booleans, shape (n_cells,), with the same index.
    """
    return labels.isna() | labels.astype(str).str.strip().isin(_MISSING_AS_TEXT)


def as_categories(labels: pd.Series) -> pd.Series:
    """Convert labels to categories that are strings; missing ones become NaN."""
    text = labels.astype(object).where(~is_missing_label(labels))
    return text.map(str, na_action="ignore").astype("category")


def categorise_names(obs: pd.DataFrame, *, labels_key: str, donor_key: str | None, path: Path) -> None:
    """Convert the columns of labels and donors to categories of strings, in place.

    Raises
    ------
    LabelError
        If a column is missing.
    """
    for key, option in ((labels_key, "labels_key"), (donor_key, "donor_key")):
        if key is not None:
            if key not in obs.columns:
                raise LabelError(absent_column(key, obs, option=option, place=f"the obs of {path}"))
            obs[key] = as_categories(obs[key])
