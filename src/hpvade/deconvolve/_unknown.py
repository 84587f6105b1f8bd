"""The search for cells of types that the reference lacks, in the samples of one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import torch

from hpvade.deconvolve._evidence import Residuals, evidence
from hpvade.deconvolve._fit import MAD_TO_SD, FractionFit
from hpvade.deconvolve._foreign_content import ForeignContent
from hpvade.pp import is_comparable
from hpvade.pp._spaces import CPM_TOTAL, floored_log
from hpvade.world import translate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from hpvade.deconvolve._config import DeconvolveConfig
    from hpvade.deconvolve._foreign_content import Group
    from hpvade.pp import CellStates, ReferenceSignature
    from hpvade.world import TranslatedWorld, World

MIN_COHORT = 6  # samples, from which evidence is pooled
_N_OWN = 120  # genes of a profile at most
_DECAY = 4.0  # weight of the last of them: exp(-4)
_OWN_WEIGHT = 0.5  # of these genes in the fit, relative to markers of the reference
_TOP = 0.02  # share of the genes that platforms measure most differently: the most highly expressed
_MIN_GAIN, _MIN_GAIN_ALONE = 0.012, 0.03  # of the loss; of pooled samples, of one sample
_MIN_STEP = 0.2  # gain of a further profile, relative to the first
_MIN_SUPPORT = 0.5
_MOST_GROUPS, _MOST_RELATED = 3, 3
_PRIOR = 0.01  # fraction of a profile
_TAKEN_UP = 0.025  # RNA share that a profile takes up without being there
_FAMILIAR = 0.25  # mean RNA share in a table, from which a profile is adapted to it
_REPLACED = 0.5  # of a profile's RNA share, below which its own type is replaced by it
_OUTLIER = 2.0  # standard deviations of the residuals
_OFFSET_STEPS = 5


class UnknownContent:
    """Finds cells of types that the reference lacks in the samples of one table; made by `for_table`.

    The profiles of a world, translated onto the platform of the reference, are fitted together with the known
    types. A profile takes part only on evidence: the reconstruction must improve, and most of the genes that
    it raises must be seen to rise (`evidence`). A profile that belongs to a type of the reference, by its
    similarity and the type's label, may join too. Where it replaces that type, it is one more state
    of it, and no unknown content: without this competition, a type that the reference knows badly would be
    taken for a neighbour that the reference lacks.

    Attributes
    ----------
    world
        The translated profiles.
    shared
        Groups of profiles for which representative samples have evidence together; empty before `learn`, and
        for fewer than six samples.
    """

    def __init__(
        self,
        world: TranslatedWorld,
        *,
        cells: NDArray[np.float64],
        trust: NDArray[np.float64],
        kept: NDArray[np.bool_],
        cell_type: NDArray[np.integer],
        config: DeconvolveConfig,
    ) -> None:
        own = _own_weight(np.where((kept | (trust > 0))[:, None], world.distinct, -np.inf))
        own[trust > 0] = 0
        self.world = world
        self.kept = kept
        self.config = config
        self.panel = np.flatnonzero((trust > 0) | (own > 0).any(1))
        self.trust, self.own = trust[self.panel], own[self.panel]
        content = cells[kept].sum(0)
        self.content = np.concatenate([content, world.content * (content.sum() / cells[world.usable].sum())])
        self.world_cpm = world.cpm / world.cpm[kept].sum(0) * CPM_TOTAL
        self.cpm = np.hstack([cells / content * CPM_TOTAL, self.world_cpm])[self.panel]
        self.every_tissue = (world.every_tissue / world.every_tissue[kept].sum() * CPM_TOTAL)[self.panel]
        self.n_states, self.cell_type = cells.shape[1], cell_type
        # One row per profile, as the compiled loops read them.
        self.profile_rows = np.ascontiguousarray(self.cpm[:, self.n_states :].T)
        self.own_rows = np.ascontiguousarray(self.own.T)
        self.shared: tuple[Group, ...] = ()

    @classmethod
    def for_table(
        cls,
        signature: ReferenceSignature,
        *,
        learned_cpm: NDArray[np.float64],
        states: CellStates,
        trust: NDArray[np.floating],
        symbols: NDArray[np.str_],
        measured: NDArray[np.bool_],
        world: World,
        config: DeconvolveConfig,
    ) -> Self | None:
        """Prepare for a table; None if the world does not match the reference.

        Parameters
        ----------
        signature
            The reference.
        learned_cpm
            S after training, over the model's genes, shape (n_selected, n_types), CPM.
        states
            States of the cell types.
        trust
            Trust of the model's genes, shape (n_selected,).
        symbols
            Symbol of each gene of the reference, shape (n_genes,).
        measured
            Genes of the reference that the table has, shape (n_genes,).
        world
            The profiles.
        config
            How known types are fitted.
        """
        counts, selected = signature.cell_counts(), signature.selected
        usable = is_comparable(symbols)
        translated = translate(
            world, counts, symbols=symbols, labels=signature.all_genes.cell_types, usable=usable
        )
        if translated is None:
            return None
        cells = counts[:, states.cell_type]
        content = signature.model_genes.rna_content[states.cell_type]
        cells[selected] = states.expand(learned_cpm) * content / CPM_TOTAL
        present = measured & translated.usable
        level = (counts / counts[present].sum(0)).mean(1)
        weight = np.zeros(len(counts))
        weight[selected] = trust
        return cls(
            translated,
            cells=cells,
            trust=np.where(present, weight, 0),
            kept=present & (level <= np.quantile(level[present], 1 - _TOP)),
            cell_type=states.cell_type,
            config=config,
        )

    def learn(self, linear: NDArray[np.float64], states: NDArray[np.float64]) -> None:
        """Choose the profiles for which representative samples have evidence together, and adapt them.

        Parameters
        ----------
        linear
            Samples over all genes of the reference, above background, shape (n_samples, n_genes).
        states
            Cell fractions of the states of the known types, shape (n_samples, n_states), rows sum to 1.
        """
        if len(linear) < MIN_COHORT:
            return
        cpm = self._scaled(linear)
        self.shared = self._choose(cpm, states, pooled=True)[0]
        if self.shared:
            self._adapt(cpm, states)

    @property
    def shared_words(self) -> list[str]:
        """Name the best profile of each group that is looked for in every sample."""
        return [self.world.words[group[0]] for group in self.shared]

    def find(
        self, linear: NDArray[np.float64], states: NDArray[np.float64], *, where: NDArray[np.bool_]
    ) -> ForeignContent:
        """Find foreign content in each sample of a mask, shape (n_samples,); parameters as for `learn`."""
        cpm = self._scaled(linear)
        chosen: list[tuple[Group, ...]] = [()] * len(linear)
        searched = np.flatnonzero(where)
        found = self._choose(cpm[searched], states[searched], pooled=False)
        for i, groups in zip(searched, found, strict=True):
            chosen[i] = groups
        share, rna_share = (np.zeros((len(linear), len(self.world.names))) for _ in range(2))
        scale = linear[:, self.kept].sum(1, keepdims=True) / CPM_TOTAL
        for groups, members in _alike(chosen):
            if groups:
                residuals, rna = self._residuals(cpm[members], states[members], groups)
                share[members], rna_share[members] = self._shares(rna, groups)
                scale[members] *= np.exp(residuals.offset)[:, None]
        return ForeignContent(
            chosen,
            share,
            rna_share,
            linear=scale * (rna_share @ self.world_cpm.T),
            unknown=share.sum(1),
            rna_unknown=rna_share.sum(1),
            is_given=np.zeros(len(linear), dtype=bool),
            is_searched=where,
        )

    def _adapt(self, cpm: NDArray[np.float64], states: NDArray[np.float64]) -> None:
        """Adapt the shared profiles that the reference lacks to the samples, over the panel's genes.

        With s_ig, the share of the expected expression of gene g in sample i that a group of profiles
        accounts for, an error δ_g of their log level leaves residuals e_ig ≈ s_ig · δ_g. Ridge regression
        estimates it:

            δ_g = u² / (u² + 0.25²) · Σ_i s_ig e_ig / Σ_i (s_ig² + 1),

        where the first factor, with the mean RNA share u of the group, leaves groups alone of which the
        samples hold too little to tell errors of the profiles from those of the platform.
        """
        residuals, rna = self._residuals(cpm, states, self.shared)
        e = residuals.log_bulk - floored_log(residuals.expected, residuals.noise_floor)
        limit = residuals.limit[:, None]
        e = np.clip(e - residuals.offset[:, None], -limit, limit)
        for group, columns in _with_columns(self.shared, first=self.n_states):
            if self.world.owner[group[0]] >= 0:
                continue
            members = np.array(group, dtype=np.intp)
            part = rna[:, columns] @ self.cpm[:, self.n_states + members].T
            s = part / (residuals.expected + residuals.noise_floor)
            error = (s * e).sum(0) / (s**2 + 1).sum(0) * (residuals.weight > 0)
            size = rna[:, columns].sum(1).mean() ** 2
            factor = np.exp(error * size / (size + _FAMILIAR**2))
            self.world_cpm[np.ix_(self.panel, members)] *= factor[:, None]
            self.world_cpm[:, members] *= CPM_TOTAL / self.world_cpm[np.ix_(self.kept, members)].sum(0)
        self.cpm[:, self.n_states :] = self.world_cpm[self.panel]

    def _scaled(self, linear: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the panel's genes in CPM of the whole transcriptome without its top."""
        total = linear[:, self.kept].sum(1, keepdims=True)
        return linear[:, self.panel] / np.where(total > 0, total, 1) * CPM_TOTAL

    def _may_grow(self, chosen: Sequence[tuple[Group, ...]]) -> NDArray[np.bool_]:
        """Which samples may have a further group; profiles made from markers do not count."""
        n = [sum(self.world.is_measured[group[0]] for group in groups) for groups in chosen]
        return np.array(n) < _MOST_GROUPS

    def _choose(
        self, cpm: NDArray[np.float64], states: NDArray[np.float64], *, pooled: bool
    ) -> list[tuple[Group, ...]]:
        """Add groups of profiles one by one while there is evidence for them; to all samples if pooled."""
        chosen = [self.shared] * len(cpm)
        first = np.zeros(len(cpm))
        active = np.ones(len(cpm), dtype=bool)
        least = _MIN_GAIN if pooled else _MIN_GAIN_ALONE
        while (active := active & self._may_grow(chosen)).any():
            for groups, members in _alike(chosen, of=np.flatnonzero(active)):
                found = evidence(
                    self._residuals(cpm[members], states[members], groups)[0],
                    self.profile_rows,
                    own_weight=self.own_rows,
                    every_tissue=self.every_tissue,
                    pooled=pooled,
                )
                gain, support = found
                if pooled:
                    support = (gain * support).sum(0, keepdims=True) / (gain.sum(0, keepdims=True) + 1e-12)
                    gain = gain.mean(0, keepdims=True)
                gain[:, self._columns(groups)[0]] = 0
                gain[support < _MIN_SUPPORT] = 0
                best = gain.argmax(1)
                for row, i in enumerate(members):
                    j = best[0 if pooled else row]
                    value = gain[0 if pooled else row, j]
                    if value < max(least, _MIN_STEP * first[i]):
                        active[i] = False
                        continue
                    first[i] = first[i] or value
                    chosen[i] = (*groups, self._group(int(j), groups))
        return chosen

    def _group(self, best: int, groups: Sequence[Group]) -> Group:
        """Add the closest relatives of a profile."""
        taken = {j for group in groups for j in group} | {best}
        related = [j for j in np.flatnonzero(self.world.related[best]) if int(j) not in taken]
        return (best, *map(int, related[:_MOST_RELATED]))

    def _columns(self, groups: Sequence[Group]) -> tuple[list[int], list[int]]:
        """Return the profiles of groups, and all columns of a fit with them, the states first."""
        profiles = [j for group in groups for j in group]
        return profiles, [*range(self.n_states), *(self.n_states + j for j in profiles)]

    def _residuals(
        self, cpm: NDArray[np.float64], states: NDArray[np.float64], groups: Sequence[Group]
    ) -> tuple[Residuals, NDArray[np.float64]]:
        """Fit known types and profiles together; return residuals, and the RNA fractions of all columns."""
        profiles, columns = self._columns(groups)
        added = self.own[:, profiles].max(1, initial=0)
        fractions = states
        if profiles:
            weight = np.maximum(self.trust, _OWN_WEIGHT * added)
            genes = weight > 0
            fit = FractionFit(
                torch.from_numpy(self.cpm[genes][:, columns]),
                rna_content=torch.from_numpy(self.content[columns]),
                trust=torch.from_numpy(weight[genes]),
                prior_strength=self.config.prior_strength,
                noise_floor=self.config.noise_floor,
                outlier=self.config.outlier,
            )
            prior = np.hstack(
                [states * (1 - _PRIOR * len(profiles)), np.full((len(cpm), len(profiles)), _PRIOR)]
            )
            with torch.inference_mode():
                fractions = fit(torch.from_numpy(cpm[:, genes]), torch.from_numpy(prior)).numpy()
        rna = fractions * self.content[columns]
        rna /= rna.sum(1, keepdims=True)
        expected = rna @ self.cpm[:, columns].T
        log_bulk = floored_log(cpm, self.config.noise_floor)
        log_ratio = (log_bulk - floored_log(expected, self.config.noise_floor))[:, self.trust > 0]
        offset, limit = _location(log_ratio, self.trust[self.trust > 0])
        weight = np.maximum(self.trust, added)
        return Residuals(log_bulk, expected, offset, limit, weight, self.config.noise_floor), rna

    def _shares(
        self, rna: NDArray[np.float64], groups: Sequence[Group]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Share of the cells, and of their RNA, that each foreign profile has, (n_samples, n_profiles).

        ``rna`` are the RNA fractions of all columns, the states first. The RNA share r of a group is shrunk
        to r · max(0, 1 − τ²/r²) (the non-negative garrote, Breiman, 1995): a column takes up a little of what
        the platform does. A group that belongs to a type of the reference is a state of this type if the
        type's label says so, and otherwise where it replaces it, that is, where the type's own columns keep
        less than half as much; where they stay beside it, it is foreign.
        """
        foreign = np.zeros((len(rna), len(self.world.names)))
        known = rna.copy()
        for group, columns in _with_columns(groups, first=self.n_states):
            part = rna[:, columns]
            size = part.sum(1, keepdims=True)
            owner = self.world.owner[group[0]]
            if owner >= 0:
                own = rna[:, : self.n_states][:, self.cell_type == owner].sum(1, keepdims=True)
                part = np.where(self.world.is_named[list(group)].all() | (own < _REPLACED * size), 0, part)
            foreign[:, group] = part * np.maximum(0, 1 - (_TAKEN_UP / np.maximum(size, 1e-9)) ** 2)
            known[:, columns] -= part
        content = self.content[self._columns(groups)[1]]
        known_cells = (known / content).sum(1) / known.sum(1)
        cells = foreign / self.content[self.n_states :]
        total = cells.sum(1) + known_cells * (1 - foreign.sum(1))
        return cells / total[:, None], foreign


def _own_weight(distinct: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of the genes that a profile expresses at least twice as much as any known type.

    At most 120 for each profile, those with the largest ratio; the weight falls with the rank, like the trust
    of markers. Shape (n_genes, n_profiles).
    """
    weight = np.zeros_like(distinct)
    best = np.argsort(-distinct, axis=0, kind="stable")[:_N_OWN]
    rank = np.arange(len(best))[:, None]
    value = np.exp(-_DECAY * rank / _N_OWN) * (np.take_along_axis(distinct, best, 0) > np.log(2))
    np.put_along_axis(weight, best, value, 0)
    return weight


def _location(
    log_ratio: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Huber's weighted location of each row, and the residual beyond which a gene is an outlier."""
    offset = np.median(log_ratio, axis=1)
    limit = _OUTLIER * MAD_TO_SD * np.median(np.abs(log_ratio - offset[:, None]), axis=1) + 1e-6
    for _ in range(_OFFSET_STEPS):
        residual = log_ratio - offset[:, None]
        w = weight * np.minimum(1, limit[:, None] / np.maximum(np.abs(residual), 1e-9))
        offset = offset + (w * residual).sum(1) / w.sum(1)
    return offset, limit


def _with_columns(groups: Sequence[Group], *, first: int) -> Iterator[tuple[Group, slice]]:
    """Find the columns of each group in a fit, of which those of the known types come first."""
    for group in groups:
        yield group, slice(first, first + len(group))
        first += len(group)


class _Alike(NamedTuple):
    groups: tuple[Group, ...]
    members: NDArray[np.intp]


def _alike(chosen: Sequence[tuple[Group, ...]], *, of: NDArray[np.intp] | None = None) -> Iterator[_Alike]:
    """Bring samples with the same groups together."""
    samples = np.arange(len(chosen)) if of is None else of
    together: dict[tuple[Group, ...], list[int]] = {}
    for i in samples:
        together.setdefault(chosen[i], []).append(int(i))
    for groups, members in together.items():
        yield _Alike(groups, np.array(members, dtype=np.intp))
