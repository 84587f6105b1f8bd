"""Readers of 10x Genomics output: the folder of matrix.mtx, and the HDF5 file of Cell Ranger 2 or later."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from hpvade._errors import FileFormatError, LabelError

from ._compression import open_text
from ._files import READER_ERRORS, ignore_anndata_warnings, reader_errors, refuse_other_files
from ._matrices import checked

if TYPE_CHECKING:
    from pathlib import Path

_LABEL_TABLES = [f"{stem}.{kind}" for stem in ("labels", "metadata") for kind in ("tsv", "csv")]


class _Matrix(NamedTuple):
    """Counts, shape (cells, features), the barcodes, and the features, by symbol."""

    counts: sparse.csr_matrix
    barcodes: pd.Index
    features: pd.DataFrame


def is_tenx(path: Path) -> bool:
    """Whether ``path`` is a folder that holds a 10x matrix, or a 10x HDF5 file."""
    if path.is_dir():
        return _find(path, "matrix.mtx") is not None
    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    try:
        with h5py.File(path, "r") as file:
            return bool(_matrix_groups(file))
    except READER_ERRORS:  # truncated or damaged: the reader of AnnData says so
        return False


def read_tenx(path: Path) -> AnnData:
    """Read 10x output, a folder or an HDF5 file.

    Returns
    -------
    Cells × features; X holds the counts, ``var_names`` the symbols, ``var["gene_ids"]`` the Ensembl ids,
    ``var["feature_types"]`` the types of the features, if they are known.

    Raises
    ------
    FileFormatError
        If a file is missing, truncated, or does not match the others.
    """
    counts, barcodes, features = _read_folder(path) if path.is_dir() else _read_hdf5(path)
    with ignore_anndata_warnings():
        return AnnData(counts, obs=pd.DataFrame(index=barcodes), var=features)


def find_label_table(path: Path, *, labels_key: str) -> Path:
    """Return the table of cell labels in a 10x folder.

    Raises
    ------
    LabelError
        If there is none.
    """
    found = _find(path, *_LABEL_TABLES) if path.is_dir() else None
    if found is None:
        place = (
            "Add a table labels.tsv to the folder, or pass --labels TABLE"
            if path.is_dir()
            else "Pass --labels TABLE"
        )
        msg = (
            f"{path} has no cell labels; 10x output does not include them. {place}, with the barcodes in the "
            f"first column and the cell types in a column '{labels_key}'."
        )
        raise LabelError(msg)
    return found


# The folder


def _read_folder(path: Path) -> _Matrix:
    matrix_file = _require(path, "matrix.mtx")
    with reader_errors(matrix_file, expected="a Matrix Market file"):
        counts = sparse.csr_matrix(_read_matrix_market(matrix_file).T)  # the file is genes × cells
    features = _read_features(_require(path, "features.tsv", "genes.tsv"))
    barcodes = _read_tsv(_require(path, "barcodes.tsv"))[0]
    if counts.shape != (len(barcodes), len(features)):
        msg = (
            f"{path}: matrix.mtx has {counts.shape[1]} genes and {counts.shape[0]} cells, but the tables "
            f"next to it list {len(features)} genes and {len(barcodes)} cells. Download the folder again."
        )
        raise FileFormatError(msg)
    return _Matrix(counts, pd.Index(list(barcodes)), features)


def _read_matrix_market(file: Path) -> sparse.coo_matrix:
    """Read a sparse matrix of numbers; SciPy's reader crashes where an index is outside of the matrix."""
    with open_text(file) as handle:
        kind = handle.readline().lower().split()
        if kind[:3] != ["%%matrixmarket", "matrix", "coordinate"] or kind[4:] != ["general"]:
            msg = "its first line is not '%%MatrixMarket matrix coordinate integer general'"
            raise ValueError(msg)
        sizes = next((line for line in handle if line.strip() and not line.startswith("%")), "")
        n_rows, n_columns, n_entries = map(int, sizes.split())
        entries = pd.read_csv(
            handle,
            sep=r"\s+",
            header=None,
            names=["row", "column", "value"],
            dtype=np.float64,
            index_col=False,
        )
    values = entries.to_numpy()
    positions = values[:, :2].astype(np.int64) - 1
    if len(values) != n_entries or not np.isfinite(values).all() or (positions + 1 != values[:, :2]).any():
        msg = f"it has {len(values):,} of {n_entries:,} entries, or one is not three numbers"
        raise ValueError(msg)
    if len(values) and (positions.min() < 0 or (positions.max(0) >= (n_rows, n_columns)).any()):
        msg = f"an entry is outside of its {n_rows:,} rows and {n_columns:,} columns"
        raise ValueError(msg)
    return sparse.coo_matrix((values[:, 2], positions.T), shape=(n_rows, n_columns))


def _find(path: Path, *names: str) -> Path | None:
    candidates = (path / f"{name}{gz}" for name in names for gz in ("", ".gz"))
    return next((file for file in candidates if file.is_file()), None)


def _require(path: Path, *names: str) -> Path:
    found = _find(path, *names)
    if found is None:
        msg = f"{path} has no {' or '.join(names)} (.gz). Put it next to matrix.mtx, as in every 10x folder."
        raise FileFormatError(msg)
    return found


def _read_tsv(file: Path) -> pd.DataFrame:
    with reader_errors(file, expected="a tab-separated table"):
        return pd.read_csv(
            file, sep="\t", header=None, dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE
        )


def _read_features(file: Path) -> pd.DataFrame:
    """Read id, symbol and type of each row of the matrix; older files lack the type, and some the symbol."""
    table = _read_tsv(file)
    symbols = table[1] if 1 in table else table[0]
    types = {"feature_types": table[2]} if 2 in table else {}
    return pd.DataFrame({"gene_ids": table[0]} | types).set_index(pd.Index(list(symbols)))


# The HDF5 file


def _matrix_groups(file: h5py.File) -> list[h5py.Group]:
    """Return the matrices: 'matrix' of Cell Ranger 3 or later, one for each genome of earlier versions."""
    groups = [file[name] for name in file if isinstance(file.get(name), h5py.Group)]
    return [group for group in groups if "barcodes" in group and ("features" in group or "genes" in group)]


def _read_hdf5(path: Path) -> _Matrix:
    with reader_errors(path, expected="a 10x HDF5 file"), h5py.File(path, "r") as file:
        refuse_other_files(file)
        groups = _matrix_groups(file)
        if len(groups) > 1:
            names = ", ".join(group.name.strip("/") for group in groups)
            msg = f"{path} holds the genomes {names}. Give a file of one genome."
            raise FileFormatError(msg)
        (group,) = groups
        if "features" in group:
            ids, symbols = _texts(group["features/id"]), _texts(group["features/name"])
            features = pd.DataFrame(
                {"gene_ids": ids, "feature_types": _texts(group["features/feature_type"])}
            )
        else:
            symbols = _texts(group["gene_names"])
            features = pd.DataFrame({"gene_ids": _texts(group["genes"])})
        barcodes = pd.Index(_texts(group["barcodes"]))
        # Stored by columns as features × cells, which is cells × features by rows.
        parts = (group["data"][:], group["indices"][:], group["indptr"][:])
        counts = checked(sparse.csr_matrix(parts, shape=(len(barcodes), len(features))))
    return _Matrix(counts, barcodes, features.set_index(pd.Index(symbols)))


def _texts(stored: h5py.Dataset) -> list[str]:
    return [text.decode() if isinstance(text, bytes) else str(text) for text in stored[:]]
