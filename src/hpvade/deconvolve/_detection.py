"""What a bulk table can show of genes with little expression: its additive noise, and genes filtered out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade.pp import background, counts_to_cpm, gene_symbols, is_human

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from hpvade.world import World

_EXPRESSED, _SILENT = 1.0, 0.03  # level in the world; share of its profiles that express a silent gene
_LEAST_HIGH, _HIGH = 0.05, 10.0  # quantile over its profiles, and its level, of genes that all cells express
_JUDGED, _COMPLETE = (
    0.3,
    0.85,
)  # share of these in a table that is judged, and in one that lacks none by chance
_UNNAMED = 0.2  # share of the genes without a symbol, above which a table is not judged
_HAS_SILENT = 0.25  # share of silent genes that a whole table has, relative to those that all cells express
_UPPER = 0.75  # quantile of silent genes
_PER_NOISE = 5.0  # noise floor per level of that quantile
_LARGEST_FLOOR = 400.0  # CPM
_ARRAY_FLOOR = 200.0  # CPM, of an array whose silent genes are not known
_LOWEST, _CUT_OFF = 0.01, 1.0  # quantile of a sample, and its level in CPM, from which a cut-off matters


@dataclass(frozen=True)
class Detection:
    """Limits of detection of a table.

    Attributes
    ----------
    noise
        Signal of silent genes above the background, shape (n_samples,), in the unit of the table; 0 for
        sequencing.
    filtered
        Genes of the reference that were removed from the table because of little expression, shape
        (n_genes,).
    is_array
        Whether the user stated that the table is from microarrays.
    """

    noise: NDArray[np.float64]
    filtered: NDArray[np.bool_]
    is_array: bool

    @classmethod
    def of_table(
        cls, bulk: AnnData, *, names: pd.Index, symbols: NDArray[np.str_], world: World
    ) -> Detection:
        """Find the limits of a table.

        Arrays report signal for genes that are not expressed, and it differs from gene to gene. Such genes
        are those that hardly any profile of a world expresses: their signal above the `background` is noise.
        A table that lacks them, but has the genes that all cells express, was filtered. If its lowest values
        show a cut-off, genes that the world knows and the table lacks were below it. Tables whose genes the
        world does not know, as those of other species, are not judged.

        Parameters
        ----------
        bulk
            Samples × all genes of the table, linear, named as in the reference.
        names, symbols
            Genes of the reference and their symbols, shape (n_genes,).
        world
            Profiles of many cells and tissues.
        """
        symbol_of = dict(zip(names, symbols, strict=True))
        own = zip(bulk.var_names, gene_symbols(bulk.var), strict=True)
        of_table = np.array([symbol_of.get(name, symbol) for name, symbol in own], dtype=str)
        is_array = bulk.uns.get(_keys.UNS, {}).get("unit", "") == "microarray"
        none = cls(np.zeros(bulk.n_obs), np.zeros(len(names), dtype=bool), is_array)
        level, known = world.align(of_table)
        all_of_world = _silent_and_everywhere(world.level, world)
        silent, everywhere = (known & mask for mask in _silent_and_everywhere(level, world))
        has_silent, has_everywhere = (
            found.sum() / mask.sum() for found, mask in zip((silent, everywhere), all_of_world, strict=True)
        )
        unnamed = pd.Series(of_table).str.match(r"ENS[A-Z]*G\d+").mean()
        if unnamed > _UNNAMED or not is_human(of_table) or has_everywhere < _JUDGED:
            return none
        linear = bulk.to_df().to_numpy(np.float64)
        if has_silent >= _HAS_SILENT * has_everywhere:
            noise = np.quantile(linear[:, silent], _UPPER, axis=1) - background(linear)[:, 0]
            return replace(none, noise=np.maximum(noise, 0))
        cut_off = np.median(lowest(counts_to_cpm(linear)))
        if has_everywhere < _COMPLETE or cut_off < _CUT_OFF or is_array:
            return none
        return replace(none, filtered=world.align(symbols)[1] & ~names.isin(bulk.var_names))

    def noise_floor(self, scale: NDArray[np.float64], *, least: float) -> float:
        """Noise floor of the fit, CPM.

        Parameters
        ----------
        scale
            CPM over the model's genes per unit of the table, shape (n_samples,).
        least
            That of sequencing.
        """
        noise = float(np.median(self.noise * scale))
        if self.is_array and noise == 0:
            return max(least, _ARRAY_FLOOR)
        return min(least + _PER_NOISE * noise, max(least, _LARGEST_FLOOR))


def lowest(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lowest expression of each sample, samples × all genes of a filtered table; shape (n_samples, 1)."""
    return np.quantile(linear, _LOWEST, axis=1, keepdims=True)


def _silent_and_everywhere(
    level: NDArray[np.floating], world: World
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which genes hardly any profile expresses, and which all do; ``level`` is genes × profiles."""
    measured = level[:, world.is_measured]
    return (
        (measured >= _EXPRESSED).mean(1) < _SILENT,
        np.quantile(measured, _LEAST_HIGH, axis=1) >= _HIGH,
    )
