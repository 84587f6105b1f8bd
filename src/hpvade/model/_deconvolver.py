"""A trained model and bulk samples → cell fractions with their intervals, RNA fractions and quality."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from anndata import AnnData

from hpvade import _keys
from hpvade._errors import InputError
from hpvade._threads import map_in_threads, one_thread_each
from hpvade._warnings import DataWarning, warn
from hpvade.deconvolve import (
    JUDGED_COVERAGE,
    Deconvolution,
    Detection,
    Estimate,
    Estimator,
    Excess,
    LevelFractions,
    UnknownContent,
    check_coverage,
    check_purity,
    expression_table,
    is_flat,
    quality,
    unknown_table,
)
from hpvade.io import find_gene_match, representative_runs
from hpvade.pp import bulk_expression, counts_to_cpm, gene_symbols, rna_fractions
from hpvade.schema import check_bulk, check_overlap
from hpvade.world import shipped_world

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from numpy.typing import NDArray

    from hpvade.deconvolve import Calibration, ForeignContent
    from hpvade.io import GeneMatch
    from hpvade.model._trained import TrainedModel
    from hpvade.schema import ValidationReport
    from hpvade.world import World

COVERAGE = 0.9  # default coverage of the intervals
_REAL_WIDENING = 1.15  # errors on real samples, relative to those on simulated ones with the same residuals
_BLOCK = 256  # samples; changes memory, never the result


def deconvolve(
    trained: TrainedModel,
    bulk: AnnData,
    *,
    coverage: float = COVERAGE,
    with_unknown: bool = True,
    world: World | None = None,
    purity: pd.Series | None = None,
) -> Deconvolution:
    """Estimate the cell fractions of bulk samples.

    Both paths of the model contribute, see `hpvade.deconvolve.Estimator`. Cells of types that the reference
    lacks are found first, and what they express is subtracted. In a table of six samples or more, profiles
    for which the samples have evidence together are looked for in each of them and adapted to the table, and
    ``unknown_genes`` are those that set a sample apart. Apart from this, the neighbours of a sample do not
    matter, nor do the order of samples and genes, and the scale of a sample.

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
        Give unknown content a column in the tables of fractions, which then sum to 1 with it. Without it, or
        where the world does not match the reference, they are shares among the known types.
    world
        Profiles of what the reference may lack. Default: those that the package ships.
    purity
        Sample → share of the cells that are known to be outside the reference, below 1, for some or all of
        the samples.

    Raises
    ------
    GeneOverlapError
        Too few of the model's genes are in ``bulk``.
    InputError
        There is no sample, a sample has no expression in the model's genes, ``coverage`` is out of range, or
        a cell type has the name of the column.

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
    deconvolver = Deconvolver(
        trained,
        _representative(bulk),
        coverage=coverage,
        with_unknown=with_unknown,
        world=world,
        purity=purity,
    )
    blocks = (bulk[start : start + _BLOCK] for start in range(0, bulk.n_obs, _BLOCK))
    answer = Deconvolution.concatenate(list(deconvolver.answers(blocks)))
    return replace(answer, unknown_profiles=deconvolver.unknown_profiles(answer.qc["unknown_like"]))


def expression(
    trained: TrainedModel,
    bulk: AnnData,
    fractions: pd.DataFrame,
    *,
    world: World | None = None,
    purity: pd.Series | None = None,
) -> AnnData:
    """Split what the known types express in bulk samples by cell type; see `Deconvolver.expression`.

    Parameters
    ----------
    trained, bulk, world, purity
        As for `deconvolve`.
    fractions
        Cell fractions, samples × cell types.
    """
    deconvolver = Deconvolver(trained, _representative(bulk), world=world, purity=purity)
    return deconvolver.expression(bulk, fractions)


def _representative(bulk: AnnData) -> AnnData:
    return bulk[np.concatenate([np.arange(*run) for run in representative_runs(bulk.n_obs)])]


def check_model_overlap(matched: AnnData, genes: Sequence[str]) -> ValidationReport:
    """Check that bulk samples, with genes named as in a model's reference, hold enough of its genes."""
    min_shared = min(100, len(genes) // 2)
    return check_overlap(matched, pd.Index(genes), min_shared=min_shared, owner="the model")


class Deconvolver:
    """Deconvolves a table that comes in blocks of samples.

    Parameters
    ----------
    trained, coverage, with_unknown, world, purity
        As for `deconvolve`.
    representative
        Samples that represent the table, see `hpvade.io.representative_runs`: they say which genes it has,
        what it shows of genes with little expression (`hpvade.deconvolve.Detection`), which profiles are
        looked for in every sample, and what all samples have in excess of the known types.
    """

    def __init__(
        self,
        trained: TrainedModel,
        representative: AnnData,
        *,
        coverage: float = COVERAGE,
        with_unknown: bool = True,
        world: World | None = None,
        purity: pd.Series | None = None,
    ) -> None:
        check_coverage(coverage)
        self.purity = pd.Series(dtype=float) if purity is None else purity
        check_purity(self.purity)
        self.trained = trained
        self.coverage = coverage
        self.with_unknown = with_unknown
        self.match = find_gene_match(representative.var, trained.gene_names)
        matched = _matched(representative, self.match, genes=trained.genes)
        signature = trained.reference_signature
        self.names = pd.Index(signature.all_genes.genes)
        symbols = gene_symbols(trained.gene_names)
        self.detection = Detection.of_table(matched, names=self.names, symbols=symbols, world=shipped_world())
        self.present: NDArray[np.bool_] = self.names.isin(matched.var_names)
        self.known = self.present | self.detection.filtered
        self.measured: NDArray[np.bool_] = self.known[signature.selected]  # of the model's genes
        lacked = ~self.present[signature.selected]
        if n_low := int((self.measured & lacked).sum()):
            msg = (
                "The bulk table was filtered: genes with little expression are missing. It lacks "
                f"{lacked.sum():,} of the {len(lacked):,} genes of the model; {n_low:,} of them count as "
                "below its lowest values. Provide all genes if you can. If these are microarrays, pass "
                "--bulk-unit microarray."
            )
            warn(msg, DataWarning)
        self.signature = copy.deepcopy(trained.network.signature).double()
        linear = self._linear(matched)
        cpm = self._model_cpm(linear, matched.obs_names)
        config = trained.config.deconvolve
        scale = cpm.sum(1) / linear[:, signature.selected].sum(1)
        self.config = config.model_copy(
            update={"noise_floor": self.detection.noise_floor(scale, least=config.noise_floor)}
        )
        self.estimator = Estimator(
            trained.network,
            measured=self.measured,
            states=trained.states,
            content_sd=signature.content_sd,
            config=self.config,
        )
        with torch.inference_mode():
            learned_cpm = self.signature.cpm().numpy()
        self.unknown = UnknownContent.for_table(
            signature,
            learned_cpm=learned_cpm,
            states=trained.states,
            trust=trained.network.deconvolution.trust.numpy(),
            symbols=symbols,
            measured=self.known,
            world=shipped_world() if world is None else world,
            config=config,  # a higher floor would hide genes that show foreign cells
        )
        self.excess = Excess(
            signature,
            symbols=symbols,
            # Fragments of antigen receptors and the like would be of no use to a reader.
            measured=self.known if self.unknown is None else self.known & self.unknown.world.known,
            noise_floor=self.config.noise_floor,
        )
        if self.unknown is None:
            _cannot_estimate(world, purity, symbols)
        with one_thread_each():
            self._learn(linear, cpm, told=~is_flat(matched))

    def _learn(
        self, linear: NDArray[np.float64], cpm: NDArray[np.float64], *, told: NDArray[np.bool_]
    ) -> None:
        estimate = self.estimator(cpm)
        self.excess.learn(self.excess.log_ratio(linear, estimate.fractions))
        if self.unknown is not None:
            self.unknown.learn(linear[told], estimate.states[told])

    @property
    def looked_for(self) -> list[str]:
        """What the samples of the table hold together, see `Deconvolution`."""
        return [] if self.unknown is None else self.unknown.shared_words

    def answers(self, blocks: Iterable[AnnData]) -> Generator[Deconvolution, None, None]:
        """Deconvolve runs of samples of the table, with `map_in_threads`; the answers come in order."""
        yield from map_in_threads(self.deconvolve, blocks)

    def deconvolve(self, samples: AnnData) -> Deconvolution:
        """Estimate the fractions of a block of samples."""
        matched = _matched(samples, self.match, genes=self.trained.genes)
        calibration, hierarchy = self.trained.calibration, self.trained.hierarchy
        linear = self._linear(matched)
        cpm = self._model_cpm(linear, matched.obs_names)
        estimate = self.estimator(cpm)
        log_excess = self.excess.log_ratio(linear, estimate.fractions)
        found = foreign = None
        if self.unknown is not None:
            found = self._found(matched, linear, estimate)
            foreign = self._foreign_cpm(found.linear, linear, cpm)
            # A sample of foreign cells alone may leave nothing to estimate.
            holds = np.asarray((foreign > 0).any(1) & (cpm > foreign).any(1))
            if holds.any():
                known = np.maximum(cpm - foreign, 0)[holds]
                estimate = estimate.updated(self.estimator(self._rescaled(known)), where=holds)
        estimate = estimate._replace(covariance=_REAL_WIDENING**2 * estimate.covariance)
        p = estimate.fractions
        with torch.inference_mode():
            expected = self.signature.mix(torch.from_numpy(p)).numpy()
        if foreign is not None:
            share = (np.maximum(cpm - foreign, 0).sum(1) / cpm.sum(1))[:, None]
            expected = expected * share + foreign

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
        unknown = unknown_table(
            found,
            words=[] if self.unknown is None else self.unknown.world.words,
            genes=self.excess.top_genes(linear, log_excess),
            coverage=self.coverage,
        ).set_index(matched.obs_names)
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
                measured=self.present[self.trained.reference_signature.selected],
                reference_overlap=float(self.present.mean()),
                fractions=p,
                widest={**widest, _keys.CELL_TYPE: _widest(calibration, estimate)},
                unknown=unknown,
                noise_floor=self.trained.config.deconvolve.noise_floor,
            ),
            levels=levels,
            looked_for=tuple(self.looked_for),
            noise_floor=self.config.noise_floor,
        )
        if found is None or not self.with_unknown:
            return answer
        return answer.with_unknown(found.rna_unknown)

    def expression(self, samples: AnnData, fractions: pd.DataFrame) -> AnnData:
        """Split what the known types express in samples by cell type, gene by gene.

        What cells express that the reference lacks is subtracted first.

        Parameters
        ----------
        samples
            Samples of the table.
        fractions
            Their cell fractions, samples × cell types.

        Returns
        -------
        As `hpvade.deconvolve.expression_table` returns it.
        """
        matched = _matched(samples, self.match, genes=self.trained.genes)
        genes = self.names[self.present]
        known = matched[:, genes].to_df()
        if self.unknown is not None:
            linear = self._linear(matched)
            estimate = self.estimator(self._model_cpm(linear, matched.obs_names))
            foreign = self._found(matched, linear, estimate).linear[:, self.present]
            known = (known - foreign).clip(lower=0)
        part = AnnData(known.to_numpy(), obs=matched.obs, var=matched[:, genes].var)
        return expression_table(part, fractions, signature=self.trained.reference_signature)

    def unknown_profiles(self, like: Iterable[str]) -> pd.DataFrame:
        """Return the expression of what unknown cells resemble.

        Parameters
        ----------
        like
            ``unknown_like`` of samples of the table.

        Returns
        -------
        Genes × names, CPM over the genes of the profiles, as the platform of the reference would measure it
        and adapted to the table; without columns if nothing is named.
        """
        if self.unknown is None:
            return pd.DataFrame(index=self.names[:0])
        named = sorted(
            {name for names in pd.Series(list(like)).dropna() for name in names.split("; ") if name}
        )
        columns = [self.unknown.world.words.index(name) for name in named]
        cpm = counts_to_cpm(self.unknown.world_cpm[self.unknown.world.known][:, columns].T).T
        genes = self.names[self.unknown.world.known].rename("gene")
        return pd.DataFrame(cpm, index=genes, columns=named)

    def _found(self, matched: AnnData, linear: NDArray[np.float64], estimate: Estimate) -> ForeignContent:
        assert self.unknown is not None  # for the type checker: the callers ask
        purity = self.purity.reindex(matched.obs_names.astype(str)).to_numpy(np.float64)
        return self.unknown.find(linear, estimate.states, where=~is_flat(matched)).given(purity)

    def _linear(self, matched: AnnData) -> NDArray[np.float64]:
        """Return expression above the background over all genes of the reference, 0 where not measured."""
        linear = np.zeros((matched.n_obs, len(self.names)))
        is_filtered = bool(self.detection.filtered.any())
        linear[:, self.present] = bulk_expression(
            matched,
            self.names[self.present],
            subtract_background=self.trained.config.deconvolve.subtract_background and not is_filtered,
        )
        if is_filtered:
            low = self.detection.level_of_filtered(matched.to_df().to_numpy(np.float64))
            linear[:, self.detection.filtered] = low
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
        return self._rescaled(model_genes)

    def _rescaled(self, model_genes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale the measured genes of the model to what they hold in an even mixture of the types."""
        even = self.trained.reference_signature.model_genes.cpm.mean(1)
        return counts_to_cpm(model_genes) * (even[self.measured].sum() / even.sum())

    def _foreign_cpm(
        self, foreign: NDArray[np.float64], linear: NDArray[np.float64], cpm: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Restrict what foreign cells contribute to the model's genes, on the scale of ``cpm``."""
        selected = self.trained.reference_signature.selected
        scale = cpm.sum(1) / linear[:, selected].sum(1)
        return np.where(self.measured, foreign[:, selected] * scale[:, None], 0)


def _cannot_estimate(world: World | None, purity: pd.Series | None, symbols: NDArray[np.str_]) -> None:
    """Say that unknown content is not estimated, unless the user chose an empty world.

    Raises
    ------
    InputError
        The user passed profiles of which none can be used, or a purity.
    """
    if world is not None and len(world.facts):
        raise world.mismatch(symbols)
    if purity is not None:
        msg = (
            "The purity cannot be taken into account: unknown content is not estimated without profiles that "
            "match the reference. Leave out --purity."
        )
        raise InputError(msg)
    if world is None:
        warn(
            "Unknown content is not estimated: the cell types of the reference resemble too few of the known "
            "profiles, or gene symbols differ. Fractions are shares among the known types.",
            DataWarning,
        )


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
