"""Expression of each cell type in each bulk sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade import _keys
from hpvade.model import deconvolve
from hpvade.model import expression as expression_with
from hpvade.tl._model import trained_model

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from hpvade.tl._model import AnyModel
    from hpvade.world import World


def expression(
    bulk: AnnData,
    model: AnyModel,
    *,
    world: World | None = None,
    purity: pd.Series | None = None,
    key_added: str = _keys.UNS,
) -> AnnData:
    """Split bulk samples by cell type, gene by gene.

    Parameters
    ----------
    bulk
        As for `deconvolve`. Fractions that it added there with the same ``key_added`` are used; else they
        are estimated.
    model
        A trained model, or the folder of one.
    world, purity
        As for `hpvade.model.deconvolve`.
    key_added
        As for `deconvolve`.

    Returns
    -------
    One row for each sample and type × genes, as `hpvade.deconvolve.expression_table` returns it.
    """
    trained = trained_model(model)
    slot = f"{key_added}_{_keys.FRACTIONS}"
    if slot in bulk.obsm:
        fractions = bulk.obsm[slot]
    else:
        fractions = deconvolve(trained, bulk, world=world, purity=purity).fractions
    return expression_with(trained, bulk, fractions, world=world, purity=purity)
