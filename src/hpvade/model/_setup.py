"""What a user notes in a reference before a model is made of it, and how it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpvade import _keys
from hpvade._errors import LabelError, absent_column
from hpvade.pp import Hierarchy, apply_rna_content

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData


def set_up(
    reference: AnnData,
    labels_key: str,
    *,
    donor_key: str | None,
    rna_content: Mapping[str, float] | None,
    levels: Sequence[str],
) -> None:
    """Note in a reference where labels and donors are, and its RNA content; see `HPVADE.setup_anndata`."""
    for name, key in (("labels_key", labels_key), ("donor_key", donor_key)):
        if key is not None and key not in reference.obs:
            raise LabelError(absent_column(key, reference.obs, option=name, place="reference.obs"))
    if rna_content is not None:
        apply_rna_content(reference, rna_content, labels_key=labels_key)
    elif _keys.REFERENCE not in reference.obs:
        reference.obs.drop(columns=_keys.RNA_WEIGHT, errors="ignore", inplace=True)
    Hierarchy.from_obs(reference.obs, labels_key=labels_key, levels=levels)
    setup = {"labels_key": labels_key, "donor_key": donor_key or "", "levels": list(levels)}
    reference.uns[_keys.UNS] = dict(reference.uns.get(_keys.UNS, {})) | setup


def hierarchy_set_up(reference: AnnData) -> Hierarchy:
    """Read the hierarchy of the levels that were noted in a reference; without a note it has none."""
    setup = reference.uns.get(_keys.UNS, {})
    labels_key = setup.get("labels_key", _keys.CELL_TYPE)
    return Hierarchy.from_obs(reference.obs, labels_key=labels_key, levels=list(setup.get("levels", [])))


def settings_set_up(reference: AnnData) -> dict[str, Any]:
    """Read the columns of labels and donors that were noted in a reference."""
    setup = {"labels_key": _keys.CELL_TYPE, "donor_key": ""} | dict(reference.uns.get(_keys.UNS, {}))
    return {key: setup[key] for key in ("labels_key", "donor_key")}
