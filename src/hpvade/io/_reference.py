"""Labelled single-cell references (h5ad, zarr, 10x folders), read as a whole or by blocks of cells."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from hpvade import _keys as keys
from hpvade._errors import FileFormatError

from ._counts import Candidate, find_counts, require_counts, to_csr
from ._files import is_zarr, open_group, read_anndata, reader_errors, sliceable
from ._genes import distinct_genes
from ._labels import categorise_names
from ._tenx import is_tenx, read_tenx

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_EXAMINED_CELLS = 1_000  # to find the counts
_FILE_KEYS = {"X": "X", "raw.X": "raw/X"}  # name of a matrix → where it is in the file; layers by their names


def read_reference(
    path: str | os.PathLike[str],
    *,
    labels_key: str = keys.CELL_TYPE,
    donor_key: str | None = None,
    layer: str | None = None,
) -> AnnData:
    """Read a labelled single-cell reference and find its raw counts.

    Parameters
    ----------
    path
        An h5ad file, an AnnData zarr folder, or a 10x folder (matrix.mtx, barcodes.tsv, features.tsv or
        genes.tsv) that also has a table of labels: labels.tsv, labels.csv, metadata.tsv or metadata.csv, with
        the barcodes in its first column.
    labels_key
        Column of ``obs`` with the cell types.
    donor_key
        Column of ``obs`` with the donors, if there is one.
    layer
        Where the counts are: the name of a layer, ``"X"`` or ``"raw"``. If None, they are searched for in
        ``layers["counts"]``, ``X``, ``raw.X``, and the other layers.

    Returns
    -------
    Cells × genes. ``layers["counts"]`` holds the counts (CSR float32, non-negative whole numbers), never
    sharing memory with X. X is as in the file, unless the genes had to change (counts in a ``raw`` with
    other genes, repeated gene names summed): then X holds the counts too. ``obs[labels_key]`` and
    ``obs[donor_key]`` are categories of strings, NaN where missing. ``uns["hpvade"]["counts_found_in"]``
    records where the counts were.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, or in another format.
    LabelError
        If a column is missing.
    CountsError
        If no matrix holds counts.
    """
    path = Path(path)
    adata = read_tenx(path, labels_key=labels_key) if is_tenx(path) else _read_anndata(path)
    categorise_names(adata.obs, labels_key=labels_key, donor_key=donor_key, path=path)
    found = find_counts(adata, layer=layer, path=path)
    counts = to_csr(found.matrix)
    var, columns = distinct_genes(found.var)
    if columns is not None:
        counts = counts @ columns
    if not var.index.equals(adata.var_names):
        adata = AnnData(X=counts.copy(), obs=adata.obs, var=var, obsm=dict(adata.obsm), uns=adata.uns)
    adata.layers[keys.COUNTS] = counts
    adata.uns[keys.UNS] = {**adata.uns.get(keys.UNS, {}), "counts_found_in": found.name}
    return adata


def _read_anndata(path: Path) -> AnnData:
    if path.is_dir() and not is_zarr(path):
        msg = (
            f"{path} is a folder, but neither an AnnData zarr store nor a 10x folder "
            "(matrix.mtx, barcodes.tsv, features.tsv). Give the h5ad file or the folder of the reference."
        )
        raise FileFormatError(msg)
    adata = read_anndata(path)
    if 0 in adata.shape:
        msg = f"{path} has {adata.n_obs} cells and {adata.n_vars} genes. Give a reference that has both."
        raise FileFormatError(msg)
    adata.obs_names = _unique(adata.obs_names)
    return adata


def _unique(names: pd.Index) -> pd.Index:
    """Append -1, -2, … to repeated cell names."""
    while not names.is_unique:
        repeat = pd.Series(names).groupby(names.to_numpy()).cumcount()
        names = pd.Index([f"{name}-{k}" if k else str(name) for name, k in zip(names, repeat, strict=True)])
    return names


# Reading by blocks


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """An open reference, or a run of its cells.

    Attributes
    ----------
    path
        The file or folder.
    obs
        Of these cells; labels and donors are categories of strings, NaN where missing.
    var
        Of all genes, each name once.
    counts_found_in
        Where the counts are.
    """

    path: Path
    obs: pd.DataFrame
    var: pd.DataFrame
    counts_found_in: str
    _matrix: Any
    _columns: sparse.csr_matrix | None  # sums genes with the same name
    _first: int = 0  # position in the file of the first of these cells

    @property
    def n_obs(self) -> int:
        """Number of cells."""
        return len(self.obs)

    def blocks(self, size: int) -> Iterator[tuple[int, sparse.csr_matrix]]:
        """Yield the first cell and the counts of each block: CSR float32, shape (cells, genes).

        Raises
        ------
        CountsError
            If a value is not a count; the message shows where.
        FileFormatError
            If the file is damaged.
        """
        for start in range(0, self.n_obs, size):
            yield start, self.block(start, start + size)

    def block(self, start: int, stop: int) -> sparse.csr_matrix:
        """Read the counts of a run of cells; errors as for `blocks`."""
        with reader_errors(self.path, expected="an AnnData file"):
            in_file = slice(self._first + start, self._first + min(stop, self.n_obs))
            counts = sparse.csr_matrix(self._matrix[in_file], dtype=np.float32)
        names = self.obs.index[start:stop]
        require_counts(Candidate(self.counts_found_in, counts, self.var), cells=names, path=self.path)
        return counts if self._columns is None else counts @ self._columns

    def run(self, start: int, stop: int) -> ReferenceRun:
        """Describe a run of cells, for another process."""
        return ReferenceRun(
            self.path.resolve(),
            self.obs.iloc[start:stop, :0],
            self.var,
            self.counts_found_in,
            self._columns,
            self._first + start,
        )


@dataclass(frozen=True, slots=True)
class ReferenceRun:
    """A run of cells of a reference, closed; it can be sent to another process that can open the file."""

    path: Path
    obs: pd.DataFrame
    var: pd.DataFrame
    counts_found_in: str
    columns: sparse.csr_matrix | None
    first: int

    @contextmanager
    def open(self) -> Iterator[ReferenceFile]:
        """Open the run; its ``obs`` has names only."""
        with open_group(self.path) as file:
            matrix = _stored_matrix(file, self.counts_found_in)
            yield ReferenceFile(
                self.path, self.obs, self.var, self.counts_found_in, matrix, self.columns, self.first
            )


def count_cells(path: str | os.PathLike[str]) -> int | None:
    """Return how many cells a reference has; None for one that cannot be read by blocks.

    Those are 10x folders, files of anndata before 0.7, and anything that is not a reference.
    """
    path = Path(path)
    if is_tenx(path) or (path.is_dir() and not is_zarr(path)):
        return None
    with open_group(path) as file:
        obs = file.get("obs")
        index = None if obs is None else obs.attrs.get("_index")
        return None if index is None else int(obs[index].shape[0])


@contextmanager
def open_reference(
    path: str | os.PathLike[str],
    *,
    labels_key: str = keys.CELL_TYPE,
    donor_key: str | None = None,
    layer: str | None = None,
) -> Iterator[ReferenceFile]:
    """Open an h5ad file or a zarr folder to read it by blocks.

    Parameters
    ----------
    path, labels_key, donor_key, layer
        As for `read_reference`. The counts are searched for in the first thousand cells; every block that is
        read is checked.

    Raises
    ------
    FileFormatError
        If it is in another format, or the counts are stored by genes.
    LabelError, CountsError
        As for `read_reference`.
    """
    path = Path(path)
    with open_group(path) as file:
        with reader_errors(path, expected="an AnnData file"):
            obs = ad.io.read_elem(file["obs"])
            first = _first_cells(file, names=obs.index[:_EXAMINED_CELLS])
        categorise_names(obs, labels_key=labels_key, donor_key=donor_key, path=path)
        found = find_counts(first, layer=layer, path=path)
        matrix = _stored_matrix(file, found.name)
        if getattr(matrix, "format", "csr") != "csr":
            msg = (
                f"{path} stores its counts by gene (CSC) and cannot be read in blocks. Store them by cell "
                f"(CSR), or read the file as a whole with --max-cells {len(obs)}."
            )
            raise FileFormatError(msg)
        var, columns = distinct_genes(found.var)
        yield ReferenceFile(path, obs, var, found.name, matrix, columns)


def _stored_matrix(file: Any, name: str) -> Any:  # noqa: ANN401 - a group, and what can be sliced by cells
    return sliceable(file[_FILE_KEYS.get(name, name.replace("['", "/").removesuffix("']"))])


def _first_cells(file: Any, *, names: pd.Index) -> AnnData:  # noqa: ANN401 - a group of h5py or of zarr
    """Read the first cells, which have these names, with all matrices that may hold counts."""

    def rows(key: str) -> Any:  # noqa: ANN401 - a sparse matrix or an array
        return sliceable(file[key])[: len(names)]

    obs = pd.DataFrame(index=names)
    layers = {name: rows(f"layers/{name}") for name in file.get("layers", {})}
    x = rows("X") if "X" in file else None
    first = AnnData(x, obs=obs, var=ad.io.read_elem(file["var"]), layers=layers)
    if "raw/X" in file:
        first.raw = AnnData(rows("raw/X"), obs=obs, var=ad.io.read_elem(file["raw/var"]))
    return first
