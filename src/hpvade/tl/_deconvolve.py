"""Cell fractions of bulk samples, and sums of them, in the slots of an AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade._errors import InputError
from hpvade.deconvolve import sum_types as sum_fractions
from hpvade.model import COVERAGE, write_slots
from hpvade.model import deconvolve as deconvolve_with
from hpvade.tl._model import trained_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from hpvade.tl._model import AnyModel
    from hpvade.world import World

_COVARIANCE = "fractions_covariance"


def deconvolve(
    bulk: AnnData,
    model: AnyModel,
    *,
    key_added: str = _keys.UNS,
    coverage: float = COVERAGE,
    with_unknown: bool = True,
    world: World | None = None,
    purity: pd.Series | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Estimate the cell fractions of bulk samples.

    Parameters
    ----------
    bulk
        Samples × genes, linear expression, as `hpvade.io.read_bulk` returns it.
    model
        A trained model, or the folder of one.
    key_added
        Begins the names of the slots that are added.
    coverage, with_unknown, world, purity
        As for `hpvade.model.deconvolve`, which lists the errors.
    copy
        Return a copy instead of changing ``bulk``.

    Returns
    -------
    None, or the copy. Added are, samples × cell types, ``obsm["hpvade_fractions"]``, its bounds
    ``…_fractions_lower`` and ``…_fractions_upper``, and ``…_rna_fractions``; ``obs["hpvade_unknown"]``,
    ``obs["hpvade_unknown_like"]``, ``obs["hpvade_reconstruction_r"]`` and ``obs["hpvade_flags"]``; and the
    settings in ``uns["hpvade"]``.

    Examples
    --------
    >>> import hpvade
    >>> reference = hpvade.testing.tiny_reference()
    >>> hpvade.HPVADE.setup_anndata(reference)
    >>> model = hpvade.HPVADE(reference, preset="fast")
    >>> _ = model.train(max_epochs=1)
    >>> bulk = hpvade.testing.tiny_bulk(reference)
    >>> hpvade.tl.deconvolve(bulk, model)
    >>> list(bulk.obsm["hpvade_fractions"])
    ['B', 'Monocyte', 'T']
    """
    trained = trained_model(model)
    table = bulk.copy() if copy else bulk
    answer = deconvolve_with(
        trained, bulk, coverage=coverage, with_unknown=with_unknown, world=world, purity=purity
    )
    prefix = f"{key_added}_"
    write_slots(table, answer, settings=trained.settings, prefix=prefix, key=key_added)
    table.obs[f"{prefix}flags"] = answer.qc["flags"]
    table.obs[f"{prefix}unknown_like"] = answer.qc["unknown_like"]
    table.obsm[f"{prefix}{_COVARIANCE}"] = answer.covariance.reshape(table.n_obs, -1)
    return table if copy else None


def sum_types(
    bulk: AnnData,
    model: AnyModel,
    groups: Mapping[str, Sequence[str]],
    *,
    key_added: str = _keys.UNS,
    coverage: float = COVERAGE,
    copy: bool = False,
) -> AnnData | None:
    """Sum cell types after `deconvolve`: the fraction of all T cells, say, with its interval.

    Parameters
    ----------
    bulk
        Samples after `deconvolve` with the same ``key_added``.
    model
        The model that was used.
    groups
        Name → cell types to sum.
    coverage
        Coverage of the intervals.
    key_added, copy
        As for `deconvolve`.

    Returns
    -------
    None, or the copy. Added are ``obsm["hpvade_sums"]``, samples × groups, and its bounds ``…_sums_lower``
    and ``…_sums_upper``.

    Raises
    ------
    InputError
        `deconvolve` was not called before, or the groups cannot be used.
    """
    prefix = f"{key_added}_"
    for slot in (f"{prefix}{_keys.FRACTIONS}", f"{prefix}{_COVARIANCE}"):
        if slot not in bulk.obsm:
            msg = f"bulk.obsm has no '{slot}'. Call hpvade.tl.deconvolve with key_added='{key_added}' first."
            raise InputError(msg)
    trained = trained_model(model)
    fractions = bulk.obsm[f"{prefix}{_keys.FRACTIONS}"]
    if list(fractions)[: len(trained.cell_types)] != trained.cell_types:
        msg = (
            f"bulk.obsm['{prefix}{_keys.FRACTIONS}'] has other cell types than the model. Pass the model "
            "that was used."
        )
        raise InputError(msg)
    n_types = len(trained.cell_types)
    covariance = np.asarray(bulk.obsm[f"{prefix}{_COVARIANCE}"]).reshape(bulk.n_obs, n_types, n_types)
    table = bulk.copy() if copy else bulk
    sums = sum_fractions(
        fractions,
        groups,
        covariance=covariance,
        calibration=trained.calibration,
        coverage=coverage,
        unknown=_unknown(bulk, prefix) if len(fractions.columns) > n_types else None,
    )
    for side, values in sums._asdict().items():
        table.obsm[f"{prefix}sums" + ("" if side == "fractions" else f"_{side}")] = values
    return table if copy else None


def _unknown(bulk: AnnData, prefix: str) -> pd.DataFrame:
    """Return the share of unknown cells and its bounds, which `deconvolve` added."""
    slots = (_keys.FRACTIONS, _keys.LOWER, _keys.UPPER)
    return pd.DataFrame({slot: bulk.obsm[f"{prefix}{slot}"][_keys.UNKNOWN] for slot in slots})
