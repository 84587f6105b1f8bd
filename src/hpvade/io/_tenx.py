"""Reader of 10x Genomics matrix folders: matrix.mtx, barcodes.tsv, and genes.tsv or features.tsv."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pandas as pd
from anndata import AnnData
from scipy import io, sparse

from hpvade._errors import FileFormatError, LabelError

from ._files import ignore_anndata_warnings, reader_errors

if TYPE_CHECKING:
    from pathlib import Path

_LABEL_TABLES = [f"{stem}.{kind}" for stem in ("labels", "metadata") for kind in ("tsv", "csv")]


def is_tenx(path: Path) -> bool:
    """Whether the folder ``path`` holds a 10x matrix."""
    return path.is_dir() and _find(path, "matrix.mtx") is not None


def read_tenx(path: Path, *, labels_key: str) -> AnnData:
    """Read a 10x folder, including its table of cell labels.

    Parameters
    ----------
    path
        The folder.
    labels_key
        The column with the labels, for messages.

    Returns
    -------
    Cells × genes; X holds the counts, ``var_names`` the symbols, ``var["gene_ids"]`` the Ensembl ids.

    Raises
    ------
    FileFormatError
        If a file of the folder is missing, truncated, or does not match the others.
    LabelError
        If the folder has no table of labels, or the table lists none of the cells.
    """
    matrix_file = _require(path, "matrix.mtx")
    with reader_errors(matrix_file, expected="a Matrix Market file"):
        counts = sparse.csr_matrix(io.mmread(matrix_file).T)  # the file is genes × cells
    genes = _read_genes(_require(path, "features.tsv", "genes.tsv"))
    barcodes = _read_tsv(_require(path, "barcodes.tsv"))[0]
    if counts.shape != (len(barcodes), len(genes)):
        msg = (
            f"{path}: matrix.mtx has {counts.shape[1]} genes and {counts.shape[0]} cells, but the tables "
            f"next to it list {len(genes)} genes and {len(barcodes)} cells. Download the folder again."
        )
        raise FileFormatError(msg)
    expressed = (genes["feature_type"] == "Gene Expression").to_numpy()
    obs = _read_labels(path, pd.Index(list(barcodes)), labels_key=labels_key)
    var = genes.loc[expressed, ["gene_ids"]]
    with ignore_anndata_warnings():
        return AnnData(X=counts[:, expressed], obs=obs, var=var)


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


def _read_genes(file: Path) -> pd.DataFrame:
    """Read id, symbol and type of each row of the matrix; older files lack the type, and some the symbol."""
    table = _read_tsv(file)
    symbols = table[1] if 1 in table else table[0]
    types = table.get(2, "Gene Expression")
    return pd.DataFrame({"gene_ids": table[0], "feature_type": types}).set_index(pd.Index(list(symbols)))


def _read_labels(path: Path, barcodes: pd.Index, *, labels_key: str) -> pd.DataFrame:
    file = _find(path, *_LABEL_TABLES)
    if file is None:
        msg = (
            f"{path} has no cell labels; 10x folders do not include them. Add a table labels.tsv to the "
            f"folder, with the barcodes in the first column and the cell types in a column '{labels_key}'."
        )
        raise LabelError(msg)
    separator = "," if ".csv" in file.name else "\t"
    with reader_errors(file, expected="a table of labels, first column the barcode"):
        labels = pd.read_csv(file, sep=separator, index_col=0)
    labels.index = labels.index.astype(str)
    labels = labels[~labels.index.duplicated()]
    if labels.index.intersection(barcodes).empty:
        msg = (
            f"{file} lists none of the cells of {path}: its barcodes look like "
            f"'{labels.index[:1].str.cat()}', those of the matrix like '{barcodes[:1].str.cat()}'. "
            "Put the barcodes in its first column."
        )
        raise LabelError(msg)
    return labels.reindex(barcodes)
