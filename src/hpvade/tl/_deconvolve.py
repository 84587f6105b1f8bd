"""Bulk samples → cell fractions with their intervals, RNA fractions and quality of fit."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import torch

from hpvade import _keys
from hpvade._errors import InputError
from hpvade.pp import (
    CellStates,
    Hierarchy,
    Profiles,
    Signature,
    counts_to_cpm,
    expression_of,
    rna_fractions,
)
from hpvade.tl._config import DeconvolveConfig
from hpvade.tl._estimate import Estimate, estimate
from hpvade.tl._leave_out import unknown_content
from hpvade.tl._quality import JUDGED_LEVEL, quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from hpvade.nn import HPVADENetwork
    from hpvade.tl._calibration import Calibration


_NOTHING_TOLD = (
    "Nothing is told of unknown content: that takes three cell types and 100 genes that all of them express. "
    "Do without."
)


class LevelFractions(NamedTuple):
    """Fractions of the groups of one level, and the bounds of their intervals; samples × groups."""

    fractions: pd.DataFrame
    lower: pd.DataFrame
    upper: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Deconvolution:
    """The answer for a table of bulk samples.

    Attributes
    ----------
    fractions
        Cell fractions p, samples × cell types; rows sum to 1.
    lower, upper
        Bounds of the interval of each fraction, samples × cell types, in [0, 1].
    rna_fractions
        RNA fractions r, samples × cell types; rows sum to 1.
    covariance
        Covariance of the fractions before calibration, shape (n_samples, n_types, n_types).
    qc
        Per sample, as `quality` makes it.
    levels
        Name of each level above the types → its fractions, sums of those of the types.
    """

    fractions: pd.DataFrame
    lower: pd.DataFrame
    upper: pd.DataFrame
    rna_fractions: pd.DataFrame
    covariance: NDArray[np.float64]
    qc: pd.DataFrame
    levels: dict[str, LevelFractions]

    def with_unknown(self) -> Deconvolution:
        """Rescale the fractions and their bounds, and give unknown content a column of its own.

        RNA fractions stay those among the known types: what an unknown cell holds is not known.

        Raises
        ------
        InputError
            There is a type of that name, or nothing is told of unknown content.
        """
        if any(_keys.UNKNOWN in t for t in (self.fractions, *(v.fractions for v in self.levels.values()))):
            msg = (
                f"A cell type or group is named '{_keys.UNKNOWN}'. Rename it with --label-map, or do without."
            )
            raise InputError(msg)
        told = self.qc[["unknown", "unknown_lower", "unknown_upper"]]
        if told.isna().any(axis=None):
            raise InputError(_NOTHING_TOLD)
        share, lower, upper = (told[name] for name in told)

        def joined(known: LevelFractions) -> LevelFractions:
            scales = ((1 - share, share), (1 - upper, lower), (1 - lower, upper))
            tables = (
                table.mul(left, axis=0).assign(**{_keys.UNKNOWN: unknown})
                for table, (left, unknown) in zip(known, scales, strict=True)
            )
            return LevelFractions(*tables)

        fractions, lower_bounds, upper_bounds = joined(LevelFractions(self.fractions, self.lower, self.upper))
        return replace(
            self,
            fractions=fractions,
            lower=lower_bounds,
            upper=upper_bounds,
            levels={name: joined(level) for name, level in self.levels.items()},
        )


def deconvolve(
    network: HPVADENetwork,
    bulk: AnnData,
    *,
    profiles: Profiles,
    states: CellStates,
    calibration: Calibration,
    hierarchy: Hierarchy,
    config: DeconvolveConfig | None = None,
    batch_size: int = 64,
) -> Deconvolution:
    """Estimate the cell fractions of bulk samples.

    Both paths of the model answer, see `estimate`. Each sample is answered by itself: its neighbours, their
    order, the order of genes and the scale of a sample do not matter.

    Parameters
    ----------
    network
        A trained network.
    bulk
        Samples × genes, linear expression, genes named as in ``profiles``. Genes that the reference lacks
        tell only the background; genes of the model that are missing count as not measured.
    profiles
        What the network was made with: genes, cell types and RNA content.
    states
        States of the cell types, over the same genes.
    calibration
        Errors of the same network on calibration mixtures.
    hierarchy
        Levels above the cell types.
    config
        Background, fit, and level of the intervals.
    batch_size
        Samples per step; changes memory, never the result.

    Raises
    ------
    InputError
        A sample has no expression in the model's genes; it is named.
    """
    config = config or DeconvolveConfig()
    if config.with_unknown and calibration.unknown is None:
        raise InputError(_NOTHING_TOLD)
    signature = profiles.of_model()
    genes = pd.Index(signature.genes)
    measured = genes.isin(bulk.var_names)
    cpm = _model_cpm(bulk, genes=genes, measured=measured, signature=signature, config=config)
    answer = estimate(network, cpm, measured=measured, states=states, config=config, batch_size=batch_size)
    p = answer.fractions
    lower, upper = calibration.interval(p, answer.sd, level=config.level)
    with torch.inference_mode():
        expected = copy.deepcopy(network.signature).double().mix(torch.from_numpy(p)).numpy()

    def table(values: NDArray[np.floating], columns: Sequence[str] = signature.cell_types) -> pd.DataFrame:
        return pd.DataFrame(values, index=bulk.obs_names, columns=list(columns))

    levels, widest = {}, {}
    for i, name in enumerate(hierarchy.levels):
        groups = answer.of_groups(hierarchy.membership(name))
        of_level = calibration.of_level(i)
        bounds = of_level.interval(groups.fractions, groups.sd, level=config.level)
        levels[name] = LevelFractions(
            *(table(values, columns=hierarchy.groups(name)) for values in (groups.fractions, *bounds))
        )
        widest[name] = _widest(of_level, groups)
    unknown = unknown_content(
        bulk,
        fractions=p,
        profiles=profiles,
        trust=network.deconvolution.trust.numpy(),
        calibration=calibration.unknown,
        config=config,
        batch_size=batch_size,
    )
    answered = Deconvolution(
        fractions=table(p),
        lower=table(lower),
        upper=table(upper),
        rna_fractions=table(rna_fractions(p, signature.rna_content_all)),
        covariance=answer.covariance,
        qc=quality(
            bulk,
            cpm=cpm,
            expected=expected,
            measured=measured,
            fractions=p,
            widest={**widest, _keys.CELL_TYPE: _widest(calibration, answer)},
            unknown=unknown,
            noise_floor=config.noise_floor,
        ),
        levels=levels,
    )
    return answered.with_unknown() if config.with_unknown else answered


def _widest(calibration: Calibration, answer: Estimate) -> NDArray[np.float64]:
    """Width of the widest interval of each sample at `JUDGED_LEVEL`, shape (n_samples,)."""
    lower, upper = calibration.interval(answer.fractions, answer.sd, level=JUDGED_LEVEL)
    width: NDArray[np.float64] = (upper - lower).max(1)
    return width


def _model_cpm(
    bulk: AnnData,
    *,
    genes: pd.Index,
    measured: NDArray[np.bool_],
    signature: Signature,
    config: DeconvolveConfig,
) -> NDArray[np.float64]:
    """Bulk over the model's genes, CPM, zero where not measured.

    The measured genes share out what they hold in an even mixture of the types, not the whole million;
    otherwise a table that lacks genes would look more highly expressed in all others.
    """
    linear = expression_of(bulk, genes[measured], subtract_background=config.subtract_background)
    empty = bulk.obs_names[linear.sum(1) <= 0]
    if len(empty):
        msg = (
            f"Sample '{empty[0]}' has no expression above its background in any of the model's genes. "
            "Remove the sample, or check its values and gene names."
        )
        raise InputError(msg)
    cpm = np.zeros((bulk.n_obs, len(genes)))
    share = signature.cpm.mean(1)[measured].sum() / signature.cpm.mean(1).sum()
    cpm[:, measured] = counts_to_cpm(linear) * share
    return cpm
