"""What a bulk table can show of genes with little expression: its additive noise, and genes filtered out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hpvade import _keys
from hpvade.io import ensembl_share
from hpvade.pp import background, counts_to_cpm, gene_symbols, is_human

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from hpvade.world import World

_JUDGED = 0.3  # share of the housekeeping genes in a table that is judged
_COMPLETE = 0.85  # the same in a table that lacks none by chance
_UNNAMED = 0.2  # share of the genes without a symbol, above which a table is not judged
_HAS_SILENT = 0.25  # share of silent genes that a whole table has, relative to housekeeping genes
_UPPER = 0.75  # quantile of silent genes
_PER_NOISE = 5.0  # noise floor per level of that quantile
_LARGEST_FLOOR = 400.0  # CPM
_ARRAY_FLOOR = 200.0  # CPM, of an array whose silent genes are not known
_LOWEST = 0.01  # quantile of a sample of a filtered table
_CUT_OFF = 1.0  # CPM, from which it matters


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
        A table that lacks them, but has the housekeeping genes, was filtered. If its lowest values
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
        position = world.locate(of_table)
        known = position >= 0
        silent = known & world.silent[position]
        has_silent = silent.sum() / world.silent.sum()
        has_housekeeping = world.housekeeping[position[known]].sum() / world.housekeeping.sum()
        is_named = ensembl_share(of_table) <= _UNNAMED
        if not is_named or not is_human(of_table) or has_housekeeping < _JUDGED:
            return none
        linear = bulk.to_df().to_numpy(np.float64)
        if has_silent >= _HAS_SILENT * has_housekeeping:
            noise = np.quantile(linear[:, silent], _UPPER, axis=1) - background(linear)[:, 0]
            return replace(none, noise=np.maximum(noise, 0))
        cut_off = np.median(_lowest(counts_to_cpm(linear)))
        if has_housekeeping < _COMPLETE or cut_off < _CUT_OFF or is_array:
            return none
        return replace(none, filtered=(world.locate(symbols) >= 0) & ~names.isin(bulk.var_names))

    @staticmethod
    def level_of_filtered(linear: NDArray[np.float64]) -> NDArray[np.float64]:
        """Level that filtered genes count as, half of the lowest expression.

        Parameters
        ----------
        linear
            Samples × all genes of a filtered table.

        Returns
        -------
        Shape (n_samples, 1), in the unit of the table.
        """
        return _lowest(linear) / 2

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


def _lowest(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.quantile(linear, _LOWEST, axis=1, keepdims=True)
