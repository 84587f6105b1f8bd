"""A trained model and bulk samples → cell fractions with their intervals, RNA fractions and quality."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from hpvade import _keys
from hpvade._errors import InputError
from hpvade._threads import map_in_threads, one_thread_each
from hpvade.deconvolve import (
    JUDGED_COVERAGE,
    UNKNOWN_NOT_AVAILABLE,
    Deconvolution,
    Estimator,
    LevelFractions,
    UnknownContent,
    check_coverage,
    expression_table,
    quality,
)
from hpvade.io import find_gene_match, representative_runs
from hpvade.pp import bulk_expression, counts_to_cpm, rna_fractions
from hpvade.schema import check_bulk, check_overlap

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from hpvade.deconvolve import Calibration, Estimate
    from hpvade.io import GeneMatch
    from hpvade.model._trained import TrainedModel
    from hpvade.schema import ValidationReport

COVERAGE = 0.9  # default coverage of the intervals
_BLOCK = 256  # samples; changes memory, never the result


def deconvolve(
    trained: TrainedModel, bulk: AnnData, *, coverage: float = COVERAGE, with_unknown: bool = False
) -> Deconvolution:
    """Estimate the cell fractions of bulk samples.

    Both paths of the model contribute, see `hpvade.deconvolve.Estimator`. Each sample is estimated by
    itself: its neighbours, their order, the order of genes and the scale of a sample do not matter. Only
    ``unknown_genes`` are compared with what other samples have.

    Parameters
    ----------
    trained
        The model.
    bulk
        Samples × genes, linear expression, as `hpvade.io.read_bulk` returns it. Genes that the reference
        lacks contribute to the background only; genes of the model that are missing count as not measured.
    coverage
        Coverage of the intervals, between 0 and 1.
    with_unknown
        Give unknown content a column in the tables of fractions, which then sum to 1 with it.

    Raises
    ------
    GeneOverlapError
        Too few of the model's genes are in ``bulk``.
    InputError
        There is no sample, a sample has no expression in the model's genes, ``coverage`` is out of range, or
        unknown content cannot be estimated.

    Examples
    --------
    >>> import hpvade
    >>> reference = hpvade.testing.tiny_reference()
    >>> hpvade.HPVADE.setup_anndata(reference)
    >>> model = hpvade.HPVADE(reference, preset="fast")
    >>> _ = model.train(max_epochs=1)
    >>> answer = hpvade.model.deconvolve(model.trained, hpvade.testing.tiny_bulk(reference), coverage=0.8)
    >>> list(answer.fractions)
    ['B', 'Monocyte', 'T']
    """
    if bulk.n_obs == 0:
        msg = "The bulk table contains no samples. Provide at least one."
        raise InputError(msg)
    blocks = deconvolve_blocks(
        trained,
        (bulk[start : start + _BLOCK] for start in range(0, bulk.n_obs, _BLOCK)),
        representative=bulk[np.concatenate([np.arange(*run) for run in representative_runs(bulk.n_obs)])],
        coverage=coverage,
        with_unknown=with_unknown,
    )
    return Deconvolution.concatenate(list(blocks))


def deconvolve_blocks(
    trained: TrainedModel,
    blocks: Iterable[AnnData],
    *,
    representative: AnnData,
    coverage: float = COVERAGE,
    with_unknown: bool = False,
) -> Generator[Deconvolution, None, None]:
    """Estimate the cell fractions of a table that comes in blocks of samples.

    Parameters
    ----------
    blocks
        Runs of samples of one table.
    representative
        Samples that represent all of them, see `hpvade.io.representative_runs`.
    trained, coverage, with_unknown
        As for `deconvolve`, which lists the errors.

    Yields
    ------
    The result for each block, computed by `map_in_threads`.
    """
    with one_thread_each():
        deconvolver = Deconvolver(trained, representative, coverage=coverage, with_unknown=with_unknown)
    yield from map_in_threads(deconvolver.deconvolve, blocks)


def expression(trained: TrainedModel, bulk: AnnData, fractions: pd.DataFrame) -> AnnData:
    """Split bulk samples by cell type, gene by gene.

    Parameters
    ----------
    trained, bulk
        As for `deconvolve`.
    fractions
        Cell fractions, samples × cell types.

    Returns
    -------
    As `hpvade.deconvolve.expression_table` returns it.
    """
    matched = _matched(bulk, find_gene_match(bulk.var, trained.gene_names), genes=trained.genes)
    return expression_table(matched, fractions, signature=trained.reference_signature)


def check_model_overlap(matched: AnnData, genes: Sequence[str]) -> ValidationReport:
    """Check that bulk samples, with genes named as in a model's reference, hold enough of its genes."""
    min_shared = min(100, len(genes) // 2)
    return check_overlap(matched, pd.Index(genes), min_shared=min_shared, owner="the model")


class Deconvolver:
    """Deconvolves blocks of samples of one table.

    Parameters
    ----------
    trained, coverage, with_unknown
        As for `deconvolve`.
    representative
        Samples that represent the table: they say which genes it has, and what all samples have in excess
        of the known types.
    """

    def __init__(
        self, trained: TrainedModel, representative: AnnData, *, coverage: float, with_unknown: bool
    ) -> None:
        check_coverage(coverage)
        if with_unknown and trained.calibration.unknown is None:
            raise InputError(UNKNOWN_NOT_AVAILABLE)
        self.trained = trained
        self.coverage = coverage
        self.with_unknown = with_unknown
        self.match = find_gene_match(representative.var, trained.gene_names)
        matched = _matched(representative, self.match, genes=trained.genes)
        signature = trained.reference_signature
        self.names = pd.Index(signature.all_genes.genes)
        self.known = self.names.isin(matched.var_names)
        self.measured: NDArray[np.bool_] = self.known[signature.selected]  # of the model's genes
        self.signature = copy.deepcopy(trained.network.signature).double()
        self.estimator = Estimator(
            trained.network,
            measured=self.measured,
            states=trained.states,
            content_sd=signature.content_sd,
            config=trained.config.deconvolve,
        )
        self.unknown = UnknownContent.for_table(
            signature,
            trust=trained.network.deconvolution.trust.numpy(),
            measured=self.known,
            calibration=trained.calibration.unknown,
            config=trained.config.deconvolve,
        )
        linear = self._linear(matched)
        fractions = self.estimator(self._model_cpm(linear, matched.obs_names)).fractions
        self.unknown.learn_usual_excess(linear, fractions)

    def deconvolve(self, samples: AnnData) -> Deconvolution:
        """Estimate the fractions of a block of samples."""
        matched = _matched(samples, self.match, genes=self.trained.genes)
        calibration, hierarchy = self.trained.calibration, self.trained.hierarchy
        linear = self._linear(matched)
        cpm = self._model_cpm(linear, matched.obs_names)
        estimate = self.estimator(cpm)
        p = estimate.fractions
        with torch.inference_mode():
            expected = self.signature.mix(torch.from_numpy(p)).numpy()

        def table(values: NDArray[np.floating], columns: Sequence[str]) -> pd.DataFrame:
            return pd.DataFrame(values, index=matched.obs_names, columns=list(columns))

        def with_bounds(
            estimate: Estimate, calibration: Calibration, columns: Sequence[str]
        ) -> LevelFractions:
            bounds = calibration.interval(estimate.fractions, estimate.sd, coverage=self.coverage)
            return LevelFractions(*(table(values, columns) for values in (estimate.fractions, *bounds)))

        levels, widest = {}, {}
        for i, name in enumerate(hierarchy.levels):
            groups = estimate.sum_groups(hierarchy.membership(name))
            levels[name] = with_bounds(groups, calibration.for_level(i), hierarchy.groups(name))
            widest[name] = _widest(calibration.for_level(i), groups)
        types = with_bounds(estimate, calibration, self.trained.cell_types)
        rna = rna_fractions(p, self.trained.reference_signature.all_genes.rna_content)
        unknown = self.unknown.table(linear, p, coverage=self.coverage).set_index(matched.obs_names)
        answer = Deconvolution(
            fractions=types.fractions,
            lower=types.lower,
            upper=types.upper,
            rna_fractions=table(rna, self.trained.cell_types),
            covariance=estimate.covariance,
            qc=quality(
                matched,
                cpm=cpm,
                expected=expected,
                measured=self.measured,
                fractions=p,
                widest={**widest, _keys.CELL_TYPE: _widest(calibration, estimate)},
                unknown=unknown,
                noise_floor=self.trained.config.deconvolve.noise_floor,
            ),
            levels=levels,
        )
        return answer.with_unknown() if self.with_unknown else answer

    def _linear(self, matched: AnnData) -> NDArray[np.float64]:
        """Return expression above the background over all genes of the reference, 0 where not measured."""
        linear = np.zeros((matched.n_obs, len(self.names)))
        linear[:, self.known] = bulk_expression(
            matched,
            self.names[self.known],
            subtract_background=self.trained.config.deconvolve.subtract_background,
        )
        return linear

    def _model_cpm(self, linear: NDArray[np.float64], samples: pd.Index) -> NDArray[np.float64]:
        """Restrict to the model's genes, CPM, zero where not measured.

        The measured genes share what they hold in an even mixture of the types, not the whole million;
        otherwise a table that lacks genes would look more highly expressed in all others.
        """
        model_genes = linear[:, self.trained.reference_signature.selected]
        empty = samples[model_genes.sum(1) <= 0]
        if len(empty):
            msg = (
                f"Sample '{empty[0]}' has no expression above its background in any of the model's genes. "
                "Remove the sample, or check its values and gene names."
            )
            raise InputError(msg)
        even = self.trained.reference_signature.model_genes.cpm.mean(1)
        return counts_to_cpm(model_genes) * (even[self.measured].sum() / even.sum())


def _matched(bulk: AnnData, match: GeneMatch, *, genes: Sequence[str]) -> AnnData:
    """Check bulk samples, and name their genes as the model's reference does."""
    values = check_bulk(bulk)
    values.raise_if_errors()
    if "unit" not in bulk.uns.get(_keys.UNS, {}):  # read_bulk has reported its notes already
        values.warn()
    matched = match.renamed(bulk)
    check_model_overlap(matched, genes).raise_if_errors()
    return matched


def _widest(calibration: Calibration, estimate: Estimate) -> NDArray[np.float64]:
    """Width of the widest interval of each sample at `JUDGED_COVERAGE`, shape (n_samples,)."""
    lower, upper = calibration.interval(estimate.fractions, estimate.sd, coverage=JUDGED_COVERAGE)
    width: NDArray[np.float64] = (upper - lower).max(1)
    return width
