"""A reference of any size as a pool of its cells, with the counts of all of them summed by label."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from hpvade import _keys
from hpvade._random import child_rng
from hpvade.pp._aggregate import sum_by_group

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from distributed import Client
    from numpy.typing import NDArray

    from hpvade.io import ReferenceFile, ReferenceRun

_BLOCK = 10_000  # cells read at once
_RUNS_OF_A_THREAD = 4  # of a Dask cluster


def pool_reference(
    file: ReferenceFile,
    *,
    labels_key: str,
    donor_key: str | None = None,
    most_cells: int,
    seed: int = 0,
    client: Client | None = None,
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
    client
        A Dask cluster whose workers see the file: each reads a part of it. The result is the same, since
        sums of counts are exact in double precision.

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
    parts = []
    for start, stop in _runs(file.n_obs, client=client):
        here = pooled[np.searchsorted(pooled, start) : np.searchsorted(pooled, stop)] - start
        parts.append(_Part(file.run(start, stop), codes[start:stop], here, len(names)))
    sums, kept = np.zeros((len(names), len(file.var))), []
    for of_part, cells in map(_read, parts) if client is None else _read_by_workers(parts, client):
        sums += of_part
        kept.append(cells)
    reference = AnnData(obs=file.obs.iloc[pooled].copy(), var=file.var.copy())
    reference.layers[_keys.COUNTS] = sp.csr_matrix(sp.vstack(kept, format="csr"))
    reference.varm[_keys.SUMS] = pd.DataFrame(sums.T, index=file.var.index, columns=names)
    reference.uns[_keys.UNS] = {
        "counts_found_in": file.counts_found_in,
        _keys.N_CELLS: labels.value_counts()[names].astype(int).to_dict(),
    }
    return reference


class _Part(NamedTuple):
    """A run of cells to be read, and what is to be done with them."""

    run: ReferenceRun
    labels: NDArray[np.integer]  # codes, (n_cells,)
    pooled: NDArray[np.integer]  # cells, sorted
    n_labels: int


def _runs(n_cells: int, *, client: Client | None) -> list[tuple[int, int]]:
    """First and end of runs of cells: all in one, or a few for each thread of a cluster."""
    n_runs = 1 if client is None else _RUNS_OF_A_THREAD * max(sum(client.nthreads().values()), 1)
    size = max(-(-n_cells // n_runs), 1)
    return [(start, min(start + size, n_cells)) for start in range(0, n_cells, size)]


def _read(part: _Part) -> tuple[NDArray[np.float64], sp.csr_matrix]:
    """Read a part by blocks: counts summed by label, (n_labels, n_genes), and the pooled cells."""
    sums, kept = np.zeros((part.n_labels, len(part.run.var))), []
    with part.run.open() as file:
        for start, counts in file.blocks(_BLOCK):
            stop = start + counts.shape[0]
            sums += sum_by_group(counts, part.labels[start:stop], n_groups=part.n_labels)
            here = part.pooled[np.searchsorted(part.pooled, start) : np.searchsorted(part.pooled, stop)]
            kept.append(counts[here - start])
    return sums, sp.csr_matrix(sp.vstack(kept, format="csr"))


def _read_by_workers(
    parts: list[_Part], client: Client
) -> Iterator[tuple[NDArray[np.float64], sp.csr_matrix]]:
    """Let workers read the parts; what they have read comes in order, and is dropped there."""
    futures = client.map(_read, parts, pure=False)
    while futures:
        future = futures.pop(0)
        yield future.result()
        future.release()


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
