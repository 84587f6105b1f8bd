"""Bulk samples → cell fractions with their intervals, RNA fractions and quality of fit."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from hpvade import _keys
from hpvade._errors import InputError
from hpvade._threads import map_in_threads, one_thread_each
from hpvade.deconvolve._config import DeconvolveConfig
from hpvade.deconvolve._estimate import Estimator
from hpvade.deconvolve._quality import JUDGED_LEVEL, quality
from hpvade.deconvolve._result import NOTHING_TOLD, Deconvolution, LevelFractions
from hpvade.deconvolve._unknown_content import UnknownContent
from hpvade.io import representative_runs
from hpvade.pp import CellStates, Hierarchy, ReferenceSignature, counts_to_cpm, bulk_expression, rna_fractions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from hpvade.deconvolve._estimate import Estimate
    from hpvade.deconvolve._intervals import Calibration
    from hpvade.nn import HPVADENetwork


def deconvolve(
    network: HPVADENetwork,
    bulk: AnnData,
    *,
    signature: ReferenceSignature,
    states: CellStates,
    calibration: Calibration,
    hierarchy: Hierarchy,
    config: DeconvolveConfig | None = None,
    batch_size: int = 256,
) -> Deconvolution:
    """Estimate the cell fractions of bulk samples.

    Both paths of the model answer, see `Estimator`. Each sample is answered by itself: its neighbours, their
    order, the order of genes and the scale of a sample do not matter. Only the genes that speak for unknown
    content are those beyond what other samples have.

    Parameters
    ----------
    network
        A trained network.
    bulk
        Samples × genes, linear expression, genes named as in ``signature``. Genes that the reference lacks
        tell only the background; genes of the model that are missing count as not measured.
    signature
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
        Samples that are worked on at once; changes memory, never the result.

    Raises
    ------
    InputError
        There is no sample, or one has no expression in the model's genes; it is named.
    """
    if bulk.n_obs == 0:
        msg = "There is no sample to deconvolve."
        raise InputError(msg)
    answers = deconvolve_blocks(
        network,
        (bulk[at : at + batch_size] for at in range(0, bulk.n_obs, batch_size)),
        representative=bulk[np.concatenate([np.arange(*run) for run in representative_runs(bulk.n_obs)])],
        signature=signature,
        states=states,
        calibration=calibration,
        hierarchy=hierarchy,
        config=config,
    )
    return Deconvolution.of_blocks(list(answers))


def deconvolve_blocks(
    network: HPVADENetwork,
    blocks: Iterable[AnnData],
    *,
    representative: AnnData,
    signature: ReferenceSignature,
    states: CellStates,
    calibration: Calibration,
    hierarchy: Hierarchy,
    config: DeconvolveConfig | None = None,
) -> Iterator[Deconvolution]:
    """Estimate the cell fractions of a table that comes in blocks of samples.

    Parameters
    ----------
    blocks
        Runs of samples of one table.
    representative
        Samples that stand for all, to tell what all of them have in excess; see `hpvade.io.representative_runs`.
    network, signature, states, calibration, hierarchy, config
        As for `deconvolve`, which says what errors there are.

    Yields
    ------
    The answer for each block, worked out by `map_in_threads`.
    """
    answerer = Deconvolver(
        network,
        representative.var_names,
        signature=signature,
        states=states,
        calibration=calibration,
        hierarchy=hierarchy,
        config=config or DeconvolveConfig(),
    )
    with one_thread_each():
        answerer.look_at_excess(representative)
    yield from map_in_threads(answerer.answer, blocks)


class Deconvolver:
    """Answers blocks of samples of one table.

    Parameters
    ----------
    genes
        Genes of the table.
    network, signature, states, calibration, hierarchy, config
        As for `deconvolve`.
    """

    def __init__(
        self,
        network: HPVADENetwork,
        genes: pd.Index,
        *,
        signature: ReferenceSignature,
        states: CellStates,
        calibration: Calibration,
        hierarchy: Hierarchy,
        config: DeconvolveConfig,
    ) -> None:
        if config.with_unknown and calibration.unknown is None:
            raise InputError(NOTHING_TOLD)
        self.network = network
        self.calibration = calibration
        self.hierarchy = hierarchy
        self.config = config
        self.names = pd.Index(signature.all_genes.genes)
        self.known = self.names.isin(genes)
        self.selected = signature.selected
        self.of_model = signature.model_genes
        self.estimator = Estimator(
            network,
            measured=self.measured,
            states=states,
            content_sd=signature.content_sd,
            config=config,
        )
        self.unknown = UnknownContent.of(
            signature,
            trust=network.deconvolution.trust.numpy(),
            measured=self.known,
            calibration=calibration.unknown,
            config=config,
        )

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Genes of the model that the table has, shape (n_selected,)."""
        return self.known[self.selected]

    def look_at_excess(self, samples: AnnData) -> None:
        """Learn from some samples of the table what all have in excess of the known types."""
        linear = self.linear(samples)
        fractions = self.estimator(self.model_cpm(linear, samples.obs_names)).fractions
        self.unknown.look_at_excess(linear, fractions)

    def answer(self, samples: AnnData) -> Deconvolution:
        """Answer a block of samples."""
        linear = self.linear(samples)
        cpm = self.model_cpm(linear, samples.obs_names)
        found = self.estimator(cpm)
        p = found.fractions
        lower, upper = self.calibration.interval(p, found.sd, level=self.config.level)
        with torch.inference_mode():
            expected = copy.deepcopy(self.network.signature).double().mix(torch.from_numpy(p)).numpy()

        def table(
            values: NDArray[np.floating], columns: Sequence[str] = self.of_model.cell_types
        ) -> pd.DataFrame:
            return pd.DataFrame(values, index=samples.obs_names, columns=list(columns))

        levels, widest = {}, {}
        for i, name in enumerate(self.hierarchy.levels):
            groups = found.of_groups(self.hierarchy.membership(name))
            of_level = self.calibration.of_level(i)
            bounds = of_level.interval(groups.fractions, groups.sd, level=self.config.level)
            levels[name] = LevelFractions(
                *(
                    table(values, columns=self.hierarchy.groups(name))
                    for values in (groups.fractions, *bounds)
                )
            )
            widest[name] = _widest(of_level, groups)
        answered = Deconvolution(
            fractions=table(p),
            lower=table(lower),
            upper=table(upper),
            rna_fractions=table(rna_fractions(p, self.of_model.rna_content_all)),
            covariance=found.covariance,
            qc=quality(
                samples,
                cpm=cpm,
                expected=expected,
                measured=self.measured,
                fractions=p,
                widest={**widest, _keys.CELL_TYPE: _widest(self.calibration, found)},
                unknown=self.unknown.table(linear, p).set_index(samples.obs_names),
                noise_floor=self.config.noise_floor,
            ),
            levels=levels,
        )
        return answered.with_unknown() if self.config.with_unknown else answered

    def linear(self, samples: AnnData) -> NDArray[np.float64]:
        """Return expression above the background over all genes of the reference, 0 where not measured."""
        linear = np.zeros((samples.n_obs, len(self.names)))
        linear[:, self.known] = bulk_expression(
            samples, self.names[self.known], subtract_background=self.config.subtract_background
        )
        return linear

    def model_cpm(self, linear: NDArray[np.float64], names: pd.Index) -> NDArray[np.float64]:
        """Restrict to the model's genes, CPM, zero where not measured.

        The measured genes share out what they hold in an even mixture of the types, not the whole million;
        otherwise a table that lacks genes would look more highly expressed in all others.
        """
        of_model = linear[:, self.selected]
        empty = names[of_model.sum(1) <= 0]
        if len(empty):
            msg = (
                f"Sample '{empty[0]}' has no expression above its background in any of the model's genes. "
                "Remove the sample, or check its values and gene names."
            )
            raise InputError(msg)
        even = self.of_model.cpm.mean(1)
        return counts_to_cpm(of_model) * (even[self.measured].sum() / even.sum())


def _widest(calibration: Calibration, answer: Estimate) -> NDArray[np.float64]:
    """Width of the widest interval of each sample at `JUDGED_LEVEL`, shape (n_samples,)."""
    lower, upper = calibration.interval(answer.fractions, answer.sd, level=JUDGED_LEVEL)
    width: NDArray[np.float64] = (upper - lower).max(1)
    return width
