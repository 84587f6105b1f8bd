"""Several references as one: shared genes, one set of labels, each reference a source of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade._errors import FileFormatError, GeneOverlapError, LabelError
from hpvade.io import is_missing_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from anndata import AnnData


_FEWEST_SHARED = 100


def read_label_map(path: str | Path) -> pd.DataFrame:
    """Read a label map: columns ``label``, ``cell_type`` and optionally ``reference``, tab-separated.

    Raises
    ------
    FileFormatError
        The file cannot be read or lacks a column.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        msg = f"The label map {path} cannot be read: {error}."
        raise FileFormatError(msg) from error
    missing = [name for name in ("label", "cell_type") if name not in table]
    if missing:
        msg = f"The label map {path} lacks the column '{missing[0]}'. It has: {', '.join(table.columns)}."
        raise FileFormatError(msg)
    return table


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
    A new AnnData of the kept cells, with the new labels in ``obs[labels_key]``.

    Raises
    ------
    LabelError
        A label of the reference is not in the map, or stands there twice with different types.
    """
    new_of = _types_of_labels(label_map, name=name)
    labels = reference.obs[labels_key].astype(object)
    labels = labels.where(~is_missing_label(labels), "").astype(str)
    unknown = sorted(set(labels) - set(new_of))
    if unknown:
        msg = (
            f"Label(s) {', '.join(map(repr, unknown))} of reference '{name}' are not in the label map "
            "('' stands for cells without a label). Add a row for each; an empty cell_type drops the label."
        )
        raise LabelError(msg)
    renamed = labels.map(new_of)
    kept = reference[(renamed != "").to_numpy()].copy()
    kept.obs[labels_key] = pd.Categorical(renamed[renamed != ""])
    return kept


def _types_of_labels(label_map: pd.DataFrame, *, name: str) -> dict[str, str]:
    """Label → cell type for one reference; rows that name the reference go before general ones."""
    general = label_map
    parts = []
    if "reference" in label_map:
        general = label_map[label_map["reference"] == ""]
        parts = [label_map[label_map["reference"] == name]]
    new_of: dict[str, str] = {}
    for part in [*parts, general]:
        pairs = part[["label", "cell_type"]].drop_duplicates()
        twice = pairs["label"][pairs["label"].duplicated()]
        if len(twice):
            msg = (
                f"The label map gives '{twice.iloc[0]}' two cell types for reference '{name}'. Keep one row."
            )
            raise LabelError(msg)
        new_of = dict(zip(pairs["label"], pairs["cell_type"], strict=True)) | new_of
    return new_of


def combine_references(
    references: Mapping[str, AnnData], *, labels_key: str, donor_key: str | None
) -> AnnData:
    """Put references together on the genes they share.

    Parameters
    ----------
    references
        Name → cells × genes with ``layers["counts"]``.
    labels_key, donor_key
        Columns of ``obs``; a reference without the donor column counts as one donor.

    Returns
    -------
    Cells × shared genes: ``layers["counts"]``, ``obs[labels_key]``, ``obs[donor_key]`` and, with two
    references or more, ``obs["hpvade_reference"]`` and ``obs["hpvade_source"]`` (reference and donor): each
    reference is split for itself, and each type of a mixture comes from one source.

    Raises
    ------
    LabelError
        The references use different sets of labels.
    GeneOverlapError
        The references share too few genes.
    """
    names = list(references)
    if len(names) == 1:
        return references[names[0]]
    _check_labels({name: set(a.obs[labels_key].astype(str)) for name, a in references.items()})
    parts = []
    for name, reference in references.items():
        obs = pd.DataFrame({labels_key: reference.obs[labels_key].astype(object)})
        donor = reference.obs[donor_key].astype(str) if donor_key in reference.obs else "unknown"
        if donor_key is not None:
            obs[donor_key] = donor
        obs[_keys.REFERENCE] = name
        obs[_keys.SOURCE] = f"{name}/" + pd.Series(donor, index=obs.index)
        obs.index = f"{name}:" + obs.index.astype(str)
        counts = reference.layers[_keys.COUNTS]
        parts.append(anndata.AnnData(counts, obs=obs, var=reference.var[[]]))
    _check_shared_genes(references)
    combined = anndata.concat(parts, join="inner")
    combined.layers[_keys.COUNTS] = combined.X.copy()
    aliases = references[names[0]].var.reindex(combined.var_names)
    combined.var = aliases
    return combined


def _check_shared_genes(references: Mapping[str, AnnData]) -> None:
    n_shared = len(set.intersection(*(set(a.var_names) for a in references.values())))
    if n_shared < _FEWEST_SHARED:
        shown = "; ".join(f"{name}: {', '.join(a.var_names[:3])}, …" for name, a in references.items())
        msg = (
            f"The references share {n_shared} genes; at least {_FEWEST_SHARED} are needed. They have names "
            f"like {shown}. Give references that name genes alike."
        )
        raise GeneOverlapError(msg)


def _check_labels(labels_of: Mapping[str, set[str]]) -> None:
    names: Sequence[str] = list(labels_of)
    shared = set.intersection(*labels_of.values())
    for name in names:
        own = sorted(labels_of[name] - shared)
        if own:
            msg = (
                f"The references use different labels: {', '.join(map(repr, own))} of '{name}' "
                f"{'is' if len(own) == 1 else 'are'} not in all of {', '.join(np.sort(names))}. "
                "Give --label-map with columns label, cell_type, reference."
            )
            raise LabelError(msg)
