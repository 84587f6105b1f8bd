"""Simulated bulk: labelled mixtures of the cells of a prepared reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from hpvade import _keys
from hpvade._random import child_rng
from hpvade.pp import counts_to_cpm, model_genes
from hpvade.simulate._config import SimulateConfig
from hpvade.simulate._effects import add_effects
from hpvade.simulate._fractions import draw_fractions
from hpvade.simulate._mixtures import draw_mixtures

if TYPE_CHECKING:
    from hpvade._types import Split


def simulate(
    prepared: AnnData,
    *,
    config: SimulateConfig | None = None,
    split: Split = "heldout",
    effects: bool = True,
    seed: int = 0,
) -> AnnData:
    """Simulate bulk samples from the cells of one split of a prepared reference.

    Parameters
    ----------
    prepared
        Reference as returned by `hpvade.pp.preprocess`.
    config
        Number of mixtures, cells per mixture, effects.
    split
        Cells to draw from: ``"train"`` or ``"heldout"``.
    effects
        Whether to add the platform effects and sequencing noise of ``config``.
    seed
        Seed; each split has its own random stream.

    Returns
    -------
    Mixtures × model genes: ``X`` CPM (rows sum to 1e6), ``obsm["fractions"]`` the realised cell fractions.
    """
    config = config or SimulateConfig()
    settings = prepared.uns.get(_keys.UNS, {})
    panel = model_genes(prepared)
    cells = panel[(panel.obs[_keys.SPLIT] == split).to_numpy()]
    labels = pd.Categorical(prepared.obs[settings["labels_key"]])
    cell_types = [str(name) for name in labels.categories]
    rng = child_rng(seed, "mixtures", split)
    counts, fractions = draw_mixtures(
        cells.layers[_keys.COUNTS],
        labels.codes[(prepared.obs[_keys.SPLIT] == split).to_numpy()],
        fractions=draw_fractions(
            config.n_mixtures if split == _keys.TRAIN else config.n_heldout,
            cell_types,
            rng=rng,
            config=config,
        ),
        n_cells=config.n_cells,
        rng=rng,
        source=_sources(cells, settings["donor_key"]) if config.one_source else None,
        rna_weight=cells.obs[_keys.RNA_WEIGHT].to_numpy() if _keys.RNA_WEIGHT in cells.obs else None,
    )
    cpm = counts_to_cpm(counts)
    if effects:
        cpm = add_effects(cpm, config, rng=child_rng(seed, "effects", split))
    names = pd.Index([f"mixture_{i + 1}" for i in range(len(cpm))])
    mixtures = AnnData(cpm, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=cells.var_names))
    mixtures.obsm[_keys.FRACTIONS] = pd.DataFrame(fractions, index=names, columns=cell_types)
    mixtures.uns[_keys.UNS] = {
        "split": split,
        "seed": seed,
        "effects": effects,
        "simulate": config.model_dump_json(),
    }
    return mixtures


def _sources(cells: AnnData, donor_key: str) -> np.ndarray | None:
    """Code the source of each cell: its reference and donor, or its donor; None where neither is known."""
    key = _keys.SOURCE if _keys.SOURCE in cells.obs else donor_key
    return np.asarray(pd.Categorical(cells.obs[key]).codes, dtype=np.int64) if key else None
