"""What a model says of bulk samples, in the slots of AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpvade import _keys

if TYPE_CHECKING:
    from anndata import AnnData

    from hpvade.deconvolve import Deconvolution


def write_answer(bulk: AnnData, result: Deconvolution, *, settings: dict[str, Any]) -> None:
    """Write fractions, bounds and quality into the slots that `HPVADE.deconvolve` names."""
    told = dict(bulk.uns.get(_keys.UNS, {}))
    for slot in told.get("slots_of_levels", []):  # of another model, perhaps, with other levels
        bulk.obsm.pop(slot, None)
    bulk.obsm[_keys.FRACTIONS] = result.fractions
    bulk.obsm[_keys.LOWER], bulk.obsm[_keys.UPPER] = result.lower, result.upper
    bulk.obsm[_keys.RNA_FRACTIONS] = result.rna_fractions
    of_levels = {
        f"{_keys.FRACTIONS}_{name}" + ("" if side == "fractions" else f"_{side}"): table
        for name, level in result.levels.items()
        for side, table in level._asdict().items()
    }
    for slot, table in of_levels.items():
        bulk.obsm[slot] = table
    bulk.obs[_keys.RECONSTRUCTION_R] = result.qc["reconstruction_r"]
    bulk.obs[_keys.UNKNOWN] = result.qc["unknown"]
    bulk.uns[_keys.UNS] = told | {"model": settings, "slots_of_levels": list(of_levels)}
