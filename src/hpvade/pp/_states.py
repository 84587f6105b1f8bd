"""States of a cell type: differences between cells that share a label, learned from the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hpvade import _keys
from hpvade._random import child_rng
from hpvade.pp._genes import model_genes
from hpvade.pp._spaces import PROFILE_FLOOR, counts_to_cpm, counts_to_log, floored_log

if TYPE_CHECKING:
    import scipy.sparse as sp
    from anndata import AnnData
    from numpy.typing import NDArray

_CELLS_PER_STATE = 25  # a type with fewer than twice as many has one state
_MIN_CELLS = 5  # of a state in a reference, for its profile to count
_MAX_CELLS = 5_000  # of a type that are clustered; more do not change a profile
_COMPONENTS = 10


@dataclass(frozen=True, slots=True)
class CellStates:
    """How the states of each type differ from the type as a whole.

    A label covers several states, such as naive and effector cells. Their shares in a reference depend on its
    donors and on how cells were sorted. Bulk samples have other shares, which one column of S per type cannot
    fit.

    Attributes
    ----------
    cell_type
        Type of each state, shape (n_states,), 0 … n_types-1; every type has at least one state.
    log_change
        Natural log of (state + 25 CPM) / (type + 25 CPM), shape (n_genes, n_states).
    """

    cell_type: NDArray[np.int64]
    log_change: NDArray[np.float64]

    def expand(self, cpm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply the changes to S.

        Parameters
        ----------
        cpm
            S with one column for each type, shape (n_genes, n_types), CPM.

        Returns
        -------
        S with one column for each state, shape (n_genes, n_states), CPM; columns sum to 1e6.
        """
        changed = (cpm[:, self.cell_type] + PROFILE_FLOOR) * np.exp(self.log_change) - PROFILE_FLOOR
        return counts_to_cpm(np.maximum(changed, 0).T).T


def cell_states(prepared: AnnData) -> CellStates:
    """Find the states of every type in a prepared reference, over the model's genes.

    The cells of a type are clustered by k-means on their first principal components in log space. Each
    reference is centred separately, because references differ by platform, which is not a state. The profile
    of a state is compared with that of its type in the same reference; the log ratio is the mean over
    references, weighted by cells.
    """
    panel = model_genes(prepared)
    counts = panel.layers[_keys.COUNTS]
    settings = prepared.uns[_keys.UNS]
    labels = panel.obs[settings["labels_key"]].cat.codes.to_numpy()
    several = _keys.REFERENCE in panel.obs
    reference = panel.obs[_keys.REFERENCE].cat.codes.to_numpy() if several else np.zeros(len(labels), np.int8)
    has_counts = np.asarray(counts.sum(1)).ravel() > 0  # within the model's genes; otherwise no state
    cell_type, changes = [], []
    for k in range(labels.max() + 1):
        cells = np.flatnonzero((labels == k) & has_counts)
        if len(cells) > _MAX_CELLS:
            rng = child_rng(settings["seed"], "states", k)
            cells = np.sort(rng.choice(cells, _MAX_CELLS, replace=False))
        found = _log_changes(counts[cells], reference[cells], n_states=settings["preprocess"]["n_states"])
        cell_type += [k] * len(found)
        changes += found
    return CellStates(np.array(cell_type, dtype=np.int64), np.stack(changes, axis=1))


def _log_changes(
    counts: sp.csr_matrix, reference: NDArray[np.integer], *, n_states: int
) -> list[NDArray[np.float64]]:
    """Log change of each state of one type from its cells, counts (n_cells, n_genes).

    Returns one state, equal to the type, where fewer than two states can be separated.
    """
    n_cells, n_genes = counts.shape
    n_states = min(n_states, n_cells // _CELLS_PER_STATE)
    changes = []
    if n_states > 1:
        state = _cluster(counts_to_log(counts).toarray(), reference, n_states=n_states)
        references = np.unique(reference)
        type_profiles = [_log_profile(counts[reference == r]) for r in references]
        for s in np.unique(state):
            parts, weights = [], []
            for r, profile in zip(references, type_profiles, strict=True):
                cells = np.flatnonzero((state == s) & (reference == r))
                if len(cells) >= _MIN_CELLS:
                    parts.append(_log_profile(counts[cells]) - profile)
                    weights.append(len(cells))
            if parts:
                changes.append(np.average(parts, axis=0, weights=weights))
    return changes if len(changes) > 1 else [np.zeros(n_genes)]


def _cluster(
    log: NDArray[np.floating], reference: NDArray[np.integer], *, n_states: int
) -> NDArray[np.integer]:
    """State of each cell of one type, shape (n_cells,)."""
    from sklearn.cluster import KMeans  # noqa: PLC0415 - takes a second; a loaded model does not need it
    from sklearn.decomposition import PCA  # noqa: PLC0415 - as above
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - as above

    for r in np.unique(reference):
        log[reference == r] -= log[reference == r].mean(0)
    n_states = min(n_states, len(np.unique(log, axis=0)))  # identical cells are one point to k-means
    if n_states < 2:
        return np.zeros(len(log), np.int64)
    with threadpool_limits(1):  # the order of sums, and so the clusters, must not depend on the machine
        n_components = min(_COMPONENTS, *log.shape)
        components = PCA(n_components, svd_solver="randomized", random_state=0).fit_transform(log)
        return KMeans(n_states, n_init=5, random_state=0).fit_predict(components)


def _log_profile(counts: sp.csr_matrix) -> NDArray[np.float64]:
    """Sum cells to one profile in floored log space, shape (n_genes,)."""
    summed = np.asarray(counts.sum(0), dtype=np.float64)
    return floored_log(counts_to_cpm(summed)[0], PROFILE_FLOOR)
