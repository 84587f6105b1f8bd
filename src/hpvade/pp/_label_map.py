"""The label map: rename, merge and drop labels, so that several references use the same cell types."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import FileFormatError, LabelError
from hpvade.io import is_missing_label, read_text_table
from hpvade.pp._hierarchy import levels_from_parents
from hpvade.pp._pool import rename_label_sums

if TYPE_CHECKING:
    from anndata import AnnData

_LEVEL = re.compile(r"level_\d+")


def read_label_map(path: str | Path) -> pd.DataFrame:
    """Read a label map: columns ``label``, ``cell_type`` and optionally ``reference``.

    Columns ``level_1``, ``level_2``, … assign the cell types to groups, the coarsest first. Alternatively, a
    column ``parent`` gives the group of each cell type; a group may have its own row, with its own parent.

    Raises
    ------
    FileFormatError
        The file cannot be read or lacks a column.
    """
    try:
        table = read_text_table(Path(path))
    except (OSError, ValueError) as error:
        msg = f"The label map {path} cannot be read: {error}."
        raise FileFormatError(msg) from error
    missing = [name for name in ("label", "cell_type") if name not in table]
    if missing:
        msg = f"The label map {path} has no column '{missing[0]}'. Its columns: {', '.join(table.columns)}."
        raise FileFormatError(msg)
    return table.apply(lambda column: column.str.strip())  # as those of a reference when it is read


def apply_label_map(reference: AnnData, label_map: pd.DataFrame, *, labels_key: str, name: str) -> AnnData:
    """Rename, merge and drop labels of one reference.

    Parameters
    ----------
    reference
        Cells × genes.
    label_map
        As `read_label_map` returns it. Rows whose ``reference`` is empty or equals ``name`` apply; an empty
        ``cell_type`` drops the label.
    labels_key
        Column of ``obs`` with the labels.
    name
        Name of this reference: its file name up to the first dot.

    Returns
    -------
    A new AnnData of the cells that are kept, with the new labels in ``obs[labels_key]``.

    Raises
    ------
    LabelError
        A label of the reference is not in the map, or has two different types there.
    """
    new_labels = _new_labels(label_map, name=name)
    labels = reference.obs[labels_key].astype(object)
    labels = labels.where(~is_missing_label(labels), "").astype(str)
    unknown = sorted(set(labels) - set(new_labels))
    if unknown:
        msg = (
            f"Label(s) {', '.join(map(repr, unknown))} of reference '{name}' are not in the label map "
            "('' means cells without a label). Add a row for each; an empty cell_type removes its cells."
        )
        raise LabelError(msg)
    renamed = labels.map(new_labels)
    kept = reference[(renamed != "").to_numpy()].copy()
    kept.obs[labels_key] = pd.Categorical(renamed[renamed != ""])
    rename_label_sums(kept, new_labels)
    return kept


def label_map_levels(label_map: pd.DataFrame) -> pd.DataFrame:
    """Return the levels of the cell types of a label map, cell types × levels, the coarsest first.

    Raises
    ------
    LabelError
        A cell type has two groups at one level, or two parents.
    """
    names = [name for name in map(str, label_map) if _LEVEL.fullmatch(name)]
    names.sort(key=lambda name: int(name.removeprefix("level_")))
    kind = ["parent"] if "parent" in label_map else names
    rows = label_map.loc[label_map["cell_type"] != "", ["cell_type", *kind]].drop_duplicates()
    twice = rows["cell_type"][rows["cell_type"].duplicated()]
    if len(twice):
        msg = (
            f"The label map assigns '{twice.iloc[0]}' to two groups. Use the same group in each of its rows."
        )
        raise LabelError(msg)
    table = rows.set_index("cell_type")
    return levels_from_parents(table["parent"]) if kind == ["parent"] else table


def _new_labels(label_map: pd.DataFrame, *, name: str) -> dict[str, str]:
    """Label → cell type for one reference; rows that name the reference take precedence over general rows."""
    if "parent" in label_map:  # rows that only give the parent of a group map no label
        label_map = label_map[(label_map["label"] != "") | ~label_map["cell_type"].isin(label_map["parent"])]
    general = label_map
    parts = []
    if "reference" in label_map:
        general = label_map[label_map["reference"] == ""]
        parts = [label_map[label_map["reference"] == name]]
    new_labels: dict[str, str] = {}
    for part in [*parts, general]:
        pairs = part[["label", "cell_type"]].drop_duplicates()
        twice = pairs["label"][pairs["label"].duplicated()]
        if len(twice):
            msg = f"The label map assigns '{twice.iloc[0]}' to two cell types for '{name}'. Keep one row."
            raise LabelError(msg)
        new_labels = dict(zip(pairs["label"], pairs["cell_type"], strict=True)) | new_labels
    return new_labels
