"""Draw cells, sum their raw counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.sparse as sp

from hpvade._errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 500  # mixtures whose cells are drawn at once


def draw_mixtures(
    counts: sp.csr_matrix,
    cell_type: NDArray[np.integer],
    *,
    fractions: NDArray[np.floating],
    n_cells: int,
    rng: np.random.Generator,
    source: NDArray[np.integer] | None = None,
    rna_weight: NDArray[np.floating] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Draw cells with replacement and sum their counts.

    Parameters
    ----------
    counts
        Raw counts, shape (n_cells_available, n_genes), CSR.
    cell_type
        Type of each cell as 0 … n_types-1, shape (n_cells_available,).
    fractions
        Wanted fractions, shape (n_mixtures, n_types). A type without cells is left out.
    n_cells
        Cells per mixture.
    rng
        Source of randomness.
    source
        Donor or reference of each cell, coded from 0. When given, each type of a mixture comes from one.
    rna_weight
        Factor on the counts of each cell, shape (n_cells_available,): takes cells of several references to
        one RNA content. Default: 1.

    Returns
    -------
    Summed counts, shape (n_mixtures, n_genes), and the **realised** fractions (cells drawn / cells in all),
    shape (n_mixtures, n_types). The label is what was drawn, never what was wanted.

    Raises
    ------
    InputError
        ``cell_type``, ``source`` or ``rna_weight`` does not have one value for each cell.
    """
    from hpvade.simulate._kernel import sum_rows  # noqa: PLC0415 - numba takes half a second to import

    counts = sp.csr_matrix(counts)
    for name, values in (("cell_type", cell_type), ("source", source), ("rna_weight", rna_weight)):
        if values is not None and len(values) != counts.shape[0]:
            msg = f"{name} has {len(values)} values for {counts.shape[0]} cells; give one for each."
            raise InputError(msg)
    n_types = fractions.shape[1]
    available = np.bincount(cell_type, minlength=n_types) > 0
    wanted = np.where(available, fractions, 0.0)
    # A mixture of nothing but unavailable types becomes an even one of the available types.
    wanted[wanted.sum(1) == 0] = available
    drawn = rng.multinomial(n_cells, wanted / wanted.sum(1, keepdims=True))
    pools = _Pools.of(cell_type, source, n_types=n_types)
    sums = np.empty((len(drawn), counts.shape[1]), np.float32)
    for start in range(0, len(drawn), _BLOCK):
        block = slice(start, start + _BLOCK)
        sums[block] = sum_rows(counts, pools.draw(drawn[block], rng=rng), weight=rna_weight)
    return sums, drawn / n_cells


class _Pools(NamedTuple):
    """Cells sorted by type and, within a type, by source; of each type, where its sources start.

    ``first`` and ``size`` have one row for each type, padded to the largest number of sources.
    """

    cells: NDArray[np.integer]
    first: NDArray[np.integer]
    size: NDArray[np.integer]
    n_sources: NDArray[np.integer]

    @classmethod
    def of(
        cls, cell_type: NDArray[np.integer], source: NDArray[np.integer] | None, *, n_types: int
    ) -> _Pools:
        source = np.zeros(len(cell_type), np.int64) if source is None else source
        cells = np.lexsort([source, cell_type])
        size = np.zeros((n_types, source.max() + 1), np.int64)
        np.add.at(size, (cell_type, source), 1)
        first = (size.ravel().cumsum() - size.ravel()).reshape(size.shape)
        there = np.argsort(size == 0, axis=1, kind="stable")  # sources that the type has come first
        return cls(
            cells,
            np.take_along_axis(first, there, 1),
            np.take_along_axis(size, there, 1),
            (size > 0).sum(1),
        )

    def draw(self, drawn: NDArray[np.integer], *, rng: np.random.Generator) -> NDArray[np.integer]:
        """Draw cells with replacement, each type of a mixture from one of its sources.

        ``drawn``: cells of each type, shape (n_mixtures, n_types). Returns (n_mixtures, n_cells).
        """
        types = np.arange(drawn.shape[1])
        chosen = (rng.random(drawn.shape) * self.n_sources).astype(np.int64)
        first, size = (
            table[types, chosen].ravel().repeat(drawn.ravel()) for table in (self.first, self.size)
        )
        at = first + (rng.random(first.size) * size).astype(np.int64)
        return self.cells[at].reshape(len(drawn), -1)
