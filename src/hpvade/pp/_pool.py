"""A reference of any size as a pool of its cells, with the counts of all of them summed by label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from hpvade import _keys
from hpvade._random import child_rng
from hpvade.pp._aggregate import sum_by_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hpvade.io import ReferenceFile

_BLOCK = 10_000  # cells read at once


def pool_reference(
    file: ReferenceFile, *, labels_key: str, donor_key: str | None = None, most_cells: int, seed: int = 0
) -> AnnData:
    """Read a reference once by blocks: sum the counts of all cells, and keep a pool of cells.

    S and m are made of the sums, and so of all cells. What needs single cells, the choice of genes, states,
    simulation and training, is made of the pool: all cells of small labels, equally many of large ones, and
    of each label equally many from its donors. Which cells depends on the seed alone, never on blocks.

    Parameters
    ----------
    file
        As `hpvade.io.open_reference` yields it.
    labels_key, donor_key
        Columns of ``obs``.
    most_cells
        Cells of the pool at most, unless there are more labels than that.
    seed
        Seed of the draw.

    Returns
    -------
    Pooled cells × genes with ``layers["counts"]``, ``obs`` as in the file, ``varm["hpvade_sums"]`` the summed
    counts of all cells, genes × labels, and their numbers in ``uns["hpvade"]["n_cells_of_labels"]``.
    """
    labels = file.obs[labels_key]
    donors = np.zeros(file.n_obs, np.int8) if donor_key is None else pd.Categorical(file.obs[donor_key]).codes
    codes = labels.cat.codes.to_numpy()
    pooled = draw_pool(codes, donors, most_cells=most_cells, rng=child_rng(seed, "pool"))
    names = list(labels.cat.categories)
    sums, kept = np.zeros((len(names), len(file.var))), []
    for start, counts in file.blocks(_BLOCK):
        stop = start + counts.shape[0]
        sums += sum_by_group(counts, codes[start:stop], n_groups=len(names))
        here = pooled[np.searchsorted(pooled, start) : np.searchsorted(pooled, stop)]
        kept.append(counts[here - start])
    reference = AnnData(obs=file.obs.iloc[pooled].copy(), var=file.var.copy())
    reference.layers[_keys.COUNTS] = sp.csr_matrix(sp.vstack(kept, format="csr"))
    reference.varm[_keys.SUMS] = pd.DataFrame(sums.T, index=file.var.index, columns=names)
    reference.uns[_keys.UNS] = {
        "counts_found_in": file.counts_found_in,
        _keys.N_CELLS: labels.value_counts()[names].astype(int).to_dict(),
    }
    return reference


def draw_pool(
    labels: NDArray[np.integer],
    donors: NDArray[np.integer],
    *,
    most_cells: int,
    rng: np.random.Generator,
) -> NDArray[np.integer]:
    """Draw cells of each label: all, or as many as of every other large one, its donors in turn.

    Parameters
    ----------
    labels, donors
        Codes of each cell, shape (n_cells,); -1 is a label, or a donor, of its own.
    most_cells
        Cells in all; one of each label at least is drawn.

    Returns
    -------
    Cells, sorted, shape (n_pooled,).
    """
    order = rng.permutation(len(labels))
    cells = pd.DataFrame({"label": labels[order], "donor": donors[order]})
    cells["turn"] = cells.groupby(["label", "donor"]).cumcount()
    cells = cells.sort_values("turn", kind="stable")
    quota = max(_largest_quota(cells["label"].value_counts().to_numpy(), most_cells), 1)
    drawn = cells.groupby("label").head(quota)
    return np.sort(order[drawn.index.to_numpy()])


def _largest_quota(sizes: NDArray[np.integer], most: int) -> int:
    """Largest quota q with Σ min(size, q) ≤ ``most``."""
    low, high = 0, int(sizes.max())
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(sizes, middle).sum() <= most else (low, middle - 1)
    return low


def sums_of_labels(reference: AnnData) -> tuple[pd.DataFrame, pd.Series] | None:
    """Return the summed counts of all cells, genes × labels, and their numbers; None without a pool."""
    if _keys.SUMS not in reference.varm:
        return None
    sums = reference.varm[_keys.SUMS]
    return sums, pd.Series(reference.uns[_keys.UNS][_keys.N_CELLS]).astype(float)[list(sums)]


def rename_sums(reference: AnnData, new_of: Mapping[str, str]) -> None:
    """Rename, merge and drop the labels of the sums of a pool; an empty new name drops a label."""
    told = sums_of_labels(reference)
    if told is None:
        return
    sums, n_cells = told
    new = sums.columns.map(dict(new_of))
    kept = np.asarray(new != "")
    summed = sums.loc[:, kept].T.groupby(np.asarray(new[kept])).sum().T
    reference.varm[_keys.SUMS] = summed
    n_new = n_cells[kept].groupby(np.asarray(new[kept])).sum()
    reference.uns[_keys.UNS] = {**reference.uns[_keys.UNS], _keys.N_CELLS: n_new.astype(int).to_dict()}
