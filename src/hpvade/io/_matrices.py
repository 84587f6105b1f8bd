"""Matrices of files, checked before use: compiled code reads beyond its memory where an index is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anndata as ad
from scipy import sparse

_COMPRESSED = (sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array)


def checked(element: Any) -> Any:  # noqa: ANN401 - what anndata or SciPy read from a file
    """Return a matrix, or whatever contains matrices, after a check.

    Raises
    ------
    ValueError
        If a matrix has complex numbers; if an index of a sparse matrix is outside of it, or its rows or
        columns do not follow one another.
    """
    if isinstance(element, Mapping):
        for part in element.values():
            checked(part)
    elif isinstance(element, _COMPRESSED):
        try:
            element.check_format(full_check=True)
        except ValueError as error:
            msg = f"the positions of the values in a sparse matrix are wrong: {error}"
            raise ValueError(msg) from error
    if getattr(getattr(element, "dtype", None), "kind", "") == "c":
        msg = "it contains complex numbers"
        raise ValueError(msg)
    return element


class StoredRows:
    """A matrix on disk, dense or sparse, that is read by rows; what is read is checked.

    Attributes
    ----------
    shape
        Shape (n_rows, n_columns).
    dtype
        Of the values.
    format
        ``"csr"`` or ``"csc"`` for a sparse matrix, ``"array"`` for a dense one.
    """

    def __init__(self, stored: Any) -> None:  # noqa: ANN401 - an array or a group of h5py or of zarr
        self._rows = stored
        self.format = "array"
        values = stored
        if "matrix" in stored.attrs.get("encoding-type", ""):
            self._rows, values = ad.io.sparse_dataset(stored), stored["data"]
            self.format = self._rows.format
            self._check_starts(stored)
        self.shape, self.dtype = tuple(self._rows.shape), values.dtype
        if len(self.shape) != 2:
            msg = f"a matrix has the shape {self.shape}, not rows and columns"
            raise ValueError(msg)

    def _check_starts(self, stored: Any) -> None:  # noqa: ANN401
        """Check what the check of a part does not see: that all values belong to some row or column."""
        starts, n_values = stored["indptr"], stored["indices"].shape[0]
        major = self._rows.shape[0 if self.format == "csr" else 1]
        sizes = (starts.shape[0], stored["data"].shape[0], int(starts[0]), int(starts[-1]))
        if sizes != (major + 1, n_values, 0, n_values):
            msg = "the parts of a sparse matrix do not match"
            raise ValueError(msg)

    def __getitem__(self, rows: Any) -> Any:  # noqa: ANN401 - a slice or positions; an array or a sparse matrix
        """Read rows."""
        return checked(self._rows[rows])
