"""The record of a baseline, and the data that every baseline is called with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


class BaselineData(NamedTuple):
    """Samples and everything that a baseline may use.

    Attributes
    ----------
    bulk_cpm
        Bulk samples, shape (n_samples, n_genes), CPM, linear.
    signature_cpm
        Signature S, shape (n_genes, n_types), CPM; each column sums to 1e6.
    rna_content
        Mean counts m of one cell of each type over the same genes, shape (n_types,).
    training_fractions
        Cell fractions of the training mixtures, shape (n_mixtures, n_types); no rows if they are not known.
    """

    bulk_cpm: NDArray[np.floating]
    signature_cpm: NDArray[np.floating]
    rna_content: NDArray[np.floating]
    training_fractions: NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A baseline: how it is called, and how tables and reports describe it.

    Attributes
    ----------
    key
        Name in options and in `METHODS`.
    name, description, reference
        For tables and reports.
    fractions
        Takes `BaselineData`, returns cell fractions, shape (n_samples, n_types), rows sum to 1.
    """

    key: str
    name: str
    description: str
    reference: str
    fractions: Callable[[BaselineData], NDArray[np.float64]]
