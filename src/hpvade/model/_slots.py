"""The slots of a bulk AnnData that results are written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpvade import _keys

if TYPE_CHECKING:
    from anndata import AnnData

    from hpvade.deconvolve import Deconvolution


def write_slots(
    bulk: AnnData, answer: Deconvolution, *, settings: dict[str, Any], prefix: str = "", key: str = _keys.UNS
) -> None:
    """Write fractions, bounds and quality into a bulk AnnData.

    Parameters
    ----------
    bulk
        Samples × genes; changed in place.
    answer
        The result for its samples.
    settings
        Settings of the model, for ``uns[key]["model"]``.
    prefix
        Begins the names of all slots in ``obsm`` and ``obs``.
    key
        Slot in ``uns``. It lists the slots of levels, so that those of an earlier model are removed.
    """
    facts = dict(bulk.uns.get(key, {}))
    for slot in facts.get("slots_of_levels", []):
        bulk.obsm.pop(slot, None)
    bulk.obsm[f"{prefix}{_keys.FRACTIONS}"] = answer.fractions
    bulk.obsm[f"{prefix}{_keys.LOWER}"] = answer.lower
    bulk.obsm[f"{prefix}{_keys.UPPER}"] = answer.upper
    bulk.obsm[f"{prefix}{_keys.RNA_FRACTIONS}"] = answer.rna_fractions
    levels = {
        f"{prefix}{_keys.FRACTIONS}_{name}" + ("" if side == "fractions" else f"_{side}"): table
        for name, level in answer.levels.items()
        for side, table in level._asdict().items()
    }
    for slot, table in levels.items():
        bulk.obsm[slot] = table
    bulk.obs[f"{prefix}{_keys.RECONSTRUCTION_R}"] = answer.qc["reconstruction_r"]
    bulk.obs[f"{prefix}{_keys.UNKNOWN}"] = answer.qc["unknown"]
    bulk.uns[key] = facts | {"model": settings, "slots_of_levels": list(levels)}
