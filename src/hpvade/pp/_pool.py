"""Counts summed by label, and a pool of cells for a reference too large to hold in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from hpvade import _keys
from hpvade._random import child_rng

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from distributed import Client
    from numpy.typing import NDArray

    from hpvade.io import ReferenceFile, ReferenceRun

_BLOCK = 10_000  # cells read at once
_RUNS_PER_THREAD = 4  # of a Dask cluster


def sum_by_group(
    counts: sp.csr_matrix,
    groups: NDArray[np.integer],
    *,
    n_groups: int,
    weight: NDArray[np.floating] | None = None,
    block_size: int = 10_000,
) -> NDArray[np.float64]:
    """Sum the counts of the cells of each group.

    Parameters
    ----------
    counts
        Raw counts, shape (n_cells, n_genes).
    groups
        Group of each cell, shape (n_cells,), values 0 … n_groups-1; -1 leaves the cell out.
    n_groups
        Number of groups.
    weight
        Factor of each cell, shape (n_cells,). Default: 1.
    block_size
        Cells per block. Changes memory, never the result.

    Returns
    -------
    Sums, shape (n_groups, n_genes), counts.
    """
    factor = np.ones(counts.shape[0]) if weight is None else weight
    sums = np.zeros((n_groups, counts.shape[1]))
    for start in range(0, counts.shape[0], block_size):
        block = counts[start : start + block_size]
        codes = groups[start : start + block_size]
        kept = np.flatnonzero(codes >= 0)
        member = sp.csr_matrix(
            (factor[start + kept], (codes[kept], kept)), shape=(n_groups, block.shape[0]), dtype=np.float64
        )
        sums += (member @ block).toarray()
    return sums


def pool_reference(
    file: ReferenceFile,
    *,
    labels_key: str,
    donor_key: str | None = None,
    max_cells: int,
    seed: int = 0,
    client: Client | None = None,
) -> AnnData:
    """Read a reference once in blocks: sum the counts of all cells, and keep a pool of cells.

    S and m come from the sums, and so from all cells. Steps that need single cells, namely the choice of
    genes, states, simulation and training, use the pool: all cells of rare labels, the same number of cells
    for every common label, and within a label the same number from each donor. The choice of cells depends on
    the seed alone, never on the blocks.

    Parameters
    ----------
    file
        As `hpvade.io.open_reference` yields it.
    labels_key, donor_key
        Columns of ``obs``.
    max_cells
        Maximum number of cells in the pool, unless there are more labels than that.
    seed
        Seed of the draw.
    client
        A Dask cluster whose workers can read the file: each reads a part of it. The result is the same,
        because sums of counts are exact in double precision.

    Returns
    -------
    Pooled cells × genes with ``layers["counts"]``, ``obs`` as in the file, ``varm["hpvade_sums"]`` the summed
    counts of all cells, genes × labels, and the cells per label in ``uns["hpvade"]["n_cells_of_labels"]``.
    """
    labels = file.obs[labels_key]
    donors = np.zeros(file.n_obs, np.int8) if donor_key is None else pd.Categorical(file.obs[donor_key]).codes
    codes = labels.cat.codes.to_numpy()
    pooled = draw_pool(codes, donors, max_cells=max_cells, rng=child_rng(seed, "pool"))
    names = list(labels.cat.categories)
    parts = []
    for start, stop in _runs(file.n_obs, client=client):
        cells = pooled[np.searchsorted(pooled, start) : np.searchsorted(pooled, stop)] - start
        parts.append(_Part(file.run(start, stop), codes[start:stop], cells, len(names)))
    sums, kept = np.zeros((len(names), len(file.var))), []
    for part_sums, part_cells in map(_read, parts) if client is None else _read_by_workers(parts, client):
        sums += part_sums
        kept.append(part_cells)
    reference = AnnData(obs=file.obs.iloc[pooled].copy(), var=file.var.copy())
    reference.layers[_keys.COUNTS] = sp.csr_matrix(sp.vstack(kept, format="csr"))
    reference.varm[_keys.SUMS] = pd.DataFrame(sums.T, index=file.var.index, columns=names)
    reference.uns[_keys.UNS] = {
        **file.record,
        _keys.N_CELLS: labels.value_counts()[names].astype(int).to_dict(),
    }
    return reference


class _Part(NamedTuple):
    """A run of cells to read, their labels, and which of them to keep."""

    run: ReferenceRun
    labels: NDArray[np.integer]  # codes, (n_cells,)
    pooled: NDArray[np.integer]  # cells to keep, sorted
    n_labels: int


def _runs(n_cells: int, *, client: Client | None) -> list[tuple[int, int]]:
    """Start and end of each run of cells: one run, or a few for each thread of a cluster."""
    n_runs = 1 if client is None else _RUNS_PER_THREAD * max(sum(client.nthreads().values()), 1)
    size = max(-(-n_cells // n_runs), 1)
    return [(start, min(start + size, n_cells)) for start in range(0, n_cells, size)]


def _read(part: _Part) -> tuple[NDArray[np.float64], sp.csr_matrix]:
    """Read a part in blocks: counts summed by label, (n_labels, n_genes), and the pooled cells."""
    sums, kept = np.zeros((part.n_labels, len(part.run.var))), []
    with part.run.open() as file:
        for start, counts in file.blocks(_BLOCK):
            stop = start + counts.shape[0]
            sums += sum_by_group(counts, part.labels[start:stop], n_groups=part.n_labels)
            cells = part.pooled[np.searchsorted(part.pooled, start) : np.searchsorted(part.pooled, stop)]
            kept.append(counts[cells - start])
    return sums, sp.csr_matrix(sp.vstack(kept, format="csr"))


def _read_by_workers(
    parts: list[_Part], client: Client
) -> Iterator[tuple[NDArray[np.float64], sp.csr_matrix]]:
    """Read the parts on the workers; results arrive in order and are then released on the worker."""
    futures = client.map(_read, parts, pure=False)
    while futures:
        future = futures.pop(0)
        yield future.result()
        future.release()


def draw_pool(
    labels: NDArray[np.integer],
    donors: NDArray[np.integer],
    *,
    max_cells: int,
    rng: np.random.Generator,
) -> NDArray[np.integer]:
    """Draw cells of each label: all of a rare label, equally many of common ones, taking donors in turn.

    Parameters
    ----------
    labels, donors
        Codes of each cell, shape (n_cells,); -1 counts as a label, or a donor, of its own.
    max_cells
        Maximum number of cells in all; at least one of each label is drawn.

    Returns
    -------
    Cells, sorted, shape (n_pooled,).
    """
    order = rng.permutation(len(labels))
    cells = pd.DataFrame({"label": labels[order], "donor": donors[order]})
    cells["turn"] = cells.groupby(["label", "donor"]).cumcount()
    cells = cells.sort_values("turn", kind="stable")
    quota = max(_largest_quota(cells["label"].value_counts().to_numpy(), max_cells), 1)
    drawn = cells.groupby("label").head(quota)
    return np.sort(order[drawn.index.to_numpy()])


def _largest_quota(sizes: NDArray[np.integer], maximum: int) -> int:
    """Largest quota q with Σ min(size, q) ≤ ``maximum``."""
    low, high = 0, int(sizes.max())
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(sizes, middle).sum() <= maximum else (low, middle - 1)
    return low


class LabelSums(NamedTuple):
    """Counts of all cells of a pooled reference, summed by label.

    Attributes
    ----------
    counts
        Summed counts, genes × labels.
    n_cells
        Number of cells per label.
    """

    counts: pd.DataFrame
    n_cells: pd.Series


def label_sums(reference: AnnData) -> LabelSums | None:
    """Return the sums over all cells of a pooled reference; None where the reference is not a pool."""
    if _keys.SUMS not in reference.varm:
        return None
    counts = reference.varm[_keys.SUMS]
    n_cells = pd.Series(reference.uns[_keys.UNS][_keys.N_CELLS]).astype(float)[list(counts)]
    return LabelSums(counts, n_cells)


def rename_label_sums(reference: AnnData, new_labels: Mapping[str, str]) -> None:
    """Rename, merge and drop the labels of the sums of a pool; an empty new name drops a label."""
    pooled = label_sums(reference)
    if pooled is None:
        return
    new = pooled.counts.columns.map(dict(new_labels))
    kept = np.asarray(new != "")
    summed = pooled.counts.loc[:, kept].T.groupby(np.asarray(new[kept])).sum().T
    reference.varm[_keys.SUMS] = summed
    n_new = pooled.n_cells[kept].groupby(np.asarray(new[kept])).sum()
    reference.uns[_keys.UNS] = {**reference.uns[_keys.UNS], _keys.N_CELLS: n_new.astype(int).to_dict()}
