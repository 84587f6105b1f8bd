"""Cells of a reference in the latent space of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade import _keys
from hpvade.model import latent as latent_positions
from hpvade.tl._model import trained_model

if TYPE_CHECKING:
    from anndata import AnnData

    from hpvade.tl._model import AnyModel


def latent(
    cells: AnnData, model: AnyModel, *, key_added: str = _keys.UNS, copy: bool = False
) -> AnnData | None:
    """Locate cells and the prototypes of the cell types in the latent space of the VAE.

    Parameters
    ----------
    cells
        Cells × genes, raw counts in ``layers["counts"]``, genes named as in the reference of the model.
    model
        A trained model, or the folder of one.
    key_added
        Begins the names of the slots that are added.
    copy
        Return a copy instead of changing ``cells``.

    Returns
    -------
    None, or the copy. Added are ``obsm["hpvade_latent"]``, cells × latent dimensions, and
    ``uns["hpvade_prototypes"]``, cell types × latent dimensions.

    Raises
    ------
    InputError
        Counts or a gene of the model are missing.
    """
    table = cells.copy() if copy else cells
    positions = latent_positions(trained_model(model), cells)
    table.obsm[f"{key_added}_latent"] = positions.cells
    table.uns[f"{key_added}_prototypes"] = positions.prototypes
    return table if copy else None
