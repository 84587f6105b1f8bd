"""Labelled single-cell references, read as a whole or by blocks of cells."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from hpvade import _keys as keys
from hpvade._errors import FileFormatError
from hpvade._warnings import DataWarning, warn
from hpvade.io._files import (
    ignore_anndata_warnings,
    open_anndata,
    read_known_parts,
    read_obs,
    read_table,
    reader_errors,
    stored_notes,
)
from hpvade.io._matrices import StoredRows
from hpvade.io._output import real_path
from hpvade.io._tenx import find_label_table, is_tenx, read_tenx

from ._counts import Candidate, require_counts, to_csr
from ._features import ReferenceGenes, reference_genes
from ._find_counts import find_counts
from ._foreign import refuse_foreign
from ._labels import categorise_names, join_labels

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

_EXAMINED_CELLS = 1_000  # to find the counts
_MATRICES = ("array", "csr_matrix", "csc_matrix")  # kinds of matrices in a file
_FILE_KEYS = {"X": "X", "raw.X": "raw/X"}  # name of a matrix → where it is in the file; layers by their names


def read_reference(
    path: str | os.PathLike[str],
    *,
    labels_key: str | None = keys.CELL_TYPE,
    donor_key: str | None = None,
    layer: str | None = None,
    labels: str | os.PathLike[str] | None = None,
) -> AnnData:
    """Read a labelled single-cell reference and find its counts.

    Parameters
    ----------
    path
        An h5ad file, an AnnData zarr store (a folder, or zipped), a MuData file with a modality ``rna``, or
        10x output: a folder (matrix.mtx, barcodes.tsv, features.tsv or genes.tsv) or an HDF5 file.
    labels_key
        Column of ``obs`` with the cell types. None reads a file without labels.
    donor_key
        Column of ``obs`` with the donors, if there is one.
    layer
        Where the counts are: the name of a layer, ``"X"`` or ``"raw"``. If None, they are searched for in
        ``layers["counts"]``, ``X``, ``raw.X``, and the other layers. A named layer may also hold counts that
        were corrected and are no longer whole numbers.
    labels
        Table of cell labels, TSV or CSV, with the barcodes in its first column and a column ``labels_key``;
        cells without a label there are left out. A 10x folder may hold it as labels.tsv, labels.csv,
        metadata.tsv or metadata.csv.

    Returns
    -------
    Cells × genes. ``layers["counts"]`` holds the counts (CSR float32, not negative), never sharing memory
    with X. X is as in the file, unless the genes had to change (counts in a ``raw`` with other genes,
    features that are not genes, repeated gene names summed): then X holds the counts too.
    ``obs[labels_key]`` and ``obs[donor_key]`` are categories of strings, NaN where missing.
    ``uns["hpvade"]`` records in ``counts_found_in`` where the counts were, and in ``notes`` what was decided,
    which a `DataWarning` also reports.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, or in another format.
    LabelError
        If a column is missing.
    CountsError
        If no matrix holds counts, or several may.
    """
    path = Path(path)
    adata, notes = (read_tenx(path), []) if is_tenx(path) else _read_anndata(path)
    adata.obs, label_notes = _labelled(
        adata.obs, labels_key=labels_key, donor_key=donor_key, table=labels, path=path
    )
    if labels_key is not None and _has_table(path, labels):
        with ignore_anndata_warnings():
            adata = adata[adata.obs[labels_key].notna().to_numpy()].copy()
    found = find_counts(adata, layer=layer, path=path)
    genes = reference_genes(found.candidate.var)
    counts = genes.of(to_csr(found.candidate.matrix))
    if not genes.var.index.equals(adata.var_names):
        adata = AnnData(X=counts.copy(), obs=adata.obs, var=genes.var, obsm=dict(adata.obsm), uns=adata.uns)
    adata.layers[keys.COUNTS] = counts
    notes = [*notes, *label_notes, *found.notes, *genes.notes]
    record = _record(found.candidate.name, corrected=found.corrected, notes=notes)
    adata.uns[keys.UNS] = {**adata.uns.get(keys.UNS, {}), **record}
    _report(notes, path=path)
    return adata


def _read_anndata(path: Path) -> tuple[AnnData, list[str]]:
    refuse_foreign(path)
    adata, notes = read_known_parts(path)
    if 0 in adata.shape:
        msg = f"{path} has {adata.n_obs} cells and {adata.n_vars} genes. Give a reference that has both."
        raise FileFormatError(msg)
    adata.obs_names = _unique(adata.obs_names)
    return adata, notes


def _labelled(
    obs: pd.DataFrame,
    *,
    labels_key: str | None,
    donor_key: str | None,
    table: str | os.PathLike[str] | None,
    path: Path,
) -> tuple[pd.DataFrame, list[str]]:
    """Return ``obs`` with labels and donors as categories, and notes."""
    notes: list[str] = []
    if labels_key is not None and _has_table(path, table):
        file = find_label_table(path, labels_key=labels_key) if table is None else Path(table)
        obs, notes = join_labels(obs, file, labels_key=labels_key, path=path)
    notes += categorise_names(obs, labels_key=labels_key, donor_key=donor_key, path=path)
    return obs, notes


def _has_table(path: Path, table: str | os.PathLike[str] | None) -> bool:
    """Whether the labels come from a table."""
    return table is not None or is_tenx(path)


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
    genes
        The genes among the features of the file.
    counts_found_in
        Where the counts are.
    corrected
        Whether the counts were corrected and are not whole numbers.
    notes
        What was decided.
    """

    path: Path
    obs: pd.DataFrame
    genes: ReferenceGenes
    counts_found_in: str
    corrected: bool
    _matrix: StoredRows
    notes: Sequence[str] = ()
    _first: int = 0  # position in the file of the first of these cells

    @property
    def n_obs(self) -> int:
        """Number of cells."""
        return len(self.obs)

    @property
    def var(self) -> pd.DataFrame:
        """Of all genes, each name once."""
        return self.genes.var

    @property
    def record(self) -> dict[str, Any]:
        """What ``uns["hpvade"]`` records about a file that was read."""
        return _record(self.counts_found_in, corrected=self.corrected, notes=self.notes)

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
        block = Candidate(self.counts_found_in, counts, pd.DataFrame(index=self.genes.features))
        require_counts(block, cells=self.obs.index[start:stop], path=self.path, corrected=self.corrected)
        return self.genes.of(counts)

    def run(self, start: int, stop: int) -> ReferenceRun:
        """Describe a run of cells, for another process."""
        return ReferenceRun(
            real_path(self.path),
            self.obs.iloc[start:stop, :0],
            self.genes,
            self.counts_found_in,
            self.corrected,
            self._first + start,
        )


@dataclass(frozen=True, slots=True)
class ReferenceRun:
    """A run of cells of a reference, closed; it can be sent to another process that can open the file."""

    path: Path
    obs: pd.DataFrame
    genes: ReferenceGenes
    counts_found_in: str
    corrected: bool
    first: int

    @property
    def var(self) -> pd.DataFrame:
        """Of all genes, each name once."""
        return self.genes.var

    @contextmanager
    def open(self) -> Iterator[ReferenceFile]:
        """Open the run; its ``obs`` has names only."""
        with open_anndata(self.path) as file:
            yield ReferenceFile(
                self.path,
                self.obs,
                self.genes,
                self.counts_found_in,
                self.corrected,
                _stored_matrix(file, self.counts_found_in),
                _first=self.first,
            )


def count_cells(path: str | os.PathLike[str]) -> int | None:
    """Return how many cells a reference has; None for one that cannot be read by blocks.

    Those are 10x output and files of anndata before 0.7.

    Raises
    ------
    FileFormatError
        If it is something else.
    """
    path = Path(path)
    if is_tenx(path):
        return None
    refuse_foreign(path)
    with open_anndata(path) as file, reader_errors(path, expected="an AnnData file"):
        index = file["obs"].attrs.get("_index")
        return None if index is None else int(file["obs"][index].shape[0])


@contextmanager
def open_reference(
    path: str | os.PathLike[str],
    *,
    labels_key: str | None = keys.CELL_TYPE,
    donor_key: str | None = None,
    layer: str | None = None,
    labels: str | os.PathLike[str] | None = None,
) -> Iterator[ReferenceFile]:
    """Open an h5ad file, a zarr store or a MuData file to read it by blocks.

    Parameters
    ----------
    path, labels_key, donor_key, layer, labels
        As for `read_reference`, but cells that ``labels`` does not list stay, without a label. The counts are
        searched for in the first thousand cells; every block that is read is checked.

    Raises
    ------
    FileFormatError
        If it is in another format, or the counts are stored by genes.
    LabelError, CountsError
        As for `read_reference`.
    """
    path = Path(path)
    refuse_foreign(path)
    with open_anndata(path) as file:
        left_out: list[str] = []
        with reader_errors(path, expected="an AnnData file"):
            obs = read_obs(file, left_out)
            first = _first_cells(file, names=obs.index[:_EXAMINED_CELLS], left_out=left_out)
        obs, label_notes = _labelled(obs, labels_key=labels_key, donor_key=donor_key, table=labels, path=path)
        found = find_counts(first, layer=layer, path=path)
        with reader_errors(path, expected="an AnnData file"):
            matrix = _stored_matrix(file, found.candidate.name)
        if matrix.format == "csc":
            msg = (
                f"{path} stores its counts by gene (CSC) and cannot be read in blocks. Store them by cell "
                f"(CSR), or read the file as a whole with --max-cells {len(obs)}."
            )
            raise FileFormatError(msg)
        genes = reference_genes(found.candidate.var)
        notes = [*stored_notes(file, left_out), *label_notes, *found.notes, *genes.notes]
        _report(notes, path=path)
        yield ReferenceFile(path, obs, genes, found.candidate.name, found.corrected, matrix, notes)


def _record(counts_found_in: str, *, corrected: bool, notes: Sequence[str]) -> dict[str, Any]:
    return {"counts_found_in": counts_found_in, keys.CORRECTED: corrected, keys.NOTES: list(notes)}


def _report(notes: Sequence[str], *, path: Path) -> None:
    for note in notes:
        warn(f"{path.name}: {note}", DataWarning, stacklevel=3)


def _stored_matrix(file: Any, name: str) -> StoredRows:  # noqa: ANN401 - a group of h5py or of zarr
    return StoredRows(file[_FILE_KEYS.get(name, name.replace("['", "/").removesuffix("']"))])


def _first_cells(file: Any, *, names: pd.Index, left_out: list[str]) -> AnnData:  # noqa: ANN401
    """Read the first cells, which have these names, with all matrices that may hold counts."""

    def rows(key: str) -> Any:  # noqa: ANN401 - a sparse matrix or an array
        if key not in file:
            return None
        if file[key].attrs.get("encoding-type", "array") not in _MATRICES:
            left_out.append(key)
            return None
        return StoredRows(file[key])[: len(names)]

    obs = pd.DataFrame(index=names)
    layers = {name: rows(f"layers/{name}") for name in file.get("layers", {})}
    known = {name: matrix for name, matrix in layers.items() if matrix is not None}
    first = AnnData(rows("X"), obs=obs, var=read_table(file["var"], "var", left_out), layers=known)
    if (raw := rows("raw/X")) is not None:
        first.raw = AnnData(raw, obs=obs, var=read_table(file["raw/var"], "raw/var", left_out))
    return first
