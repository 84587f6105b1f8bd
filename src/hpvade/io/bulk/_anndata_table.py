"""Bulk tables in AnnData files, zarr folders, and zarr folders in a zip file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anndata as ad
import numpy as np
import pandas as pd

from hpvade import _keys as keys
from hpvade._errors import FileFormatError
from hpvade.io._files import open_group, read_anndata, reader_errors
from hpvade.io._matrices import StoredRows

from ._orientation import count_housekeeping, find_orientation
from ._source import Table, dense_table
from ._units import describe_scaling

if TYPE_CHECKING:
    from ._source import BulkSource

_GENE_NAMES: Final = ("gene_name", "gene_symbol", "feature_name")
_MANY = 10  # well-known genes
_EXAMINED = 200  # samples
_COUNTS: Final = f"layers/{keys.COUNTS}"
_INSTEAD_OF_X: Final[dict[str, Any]] = {
    "unit": "counts",
    "notes": (f"X has negative or scaled values, so layers['{keys.COUNTS}'] was read.",),
}


def is_h5ad(source: BulkSource) -> bool:
    """Whether it is an AnnData file."""
    return source.content.kind == "anndata" and source.path.is_file()


def is_zarr_store(source: BulkSource) -> bool:
    """Whether it is an AnnData zarr folder, or such a folder in a zip file."""
    return source.content.kind in {"zarr", "zarr zip"} or (
        source.content.kind == "anndata" and source.path.is_dir()
    )


def open_anndata(source: BulkSource) -> Table:
    """Open X on disk, or read it if it cannot be read by samples."""
    with reader_errors(source.path, expected="an AnnData file"):
        file = source.stack.enter_context(open_group(source.path))
        table = _on_disk(source, file)
        return _in_memory(source) if table is None else table


def _on_disk(source: BulkSource, file: Any) -> Table | None:  # noqa: ANN401 - a group of h5py or of zarr
    """Open X by samples; None if it is stored by genes, transposed, old, empty or not AnnData."""
    index = file["obs"].attrs.get("_index") if "obs" in file and "X" in file else None
    x = None if index is None else StoredRows(file["X"])
    if x is None or x.format == "csc" or 0 in x.shape:
        return None
    var = ad.io.read_elem(file["var"])
    samples = pd.Index(ad.io.read_elem(file["obs"][index]))
    if x.shape != (len(samples), len(var)):
        msg = f"X has the shape {x.shape}, but there are {len(samples)} samples and {len(var)} genes"
        raise ValueError(msg)
    _require_numbers(x.dtype, source)
    if _are_genes(samples, var.index, source):
        return None
    known: dict[str, Any] = {}
    if _COUNTS in file and _is_not_expression(x[:_EXAMINED]):
        x, known = StoredRows(file[_COUNTS]), _INSTEAD_OF_X
        if x.format == "csc":
            return None
    return Table(x, samples, var.index, gene_names=_gene_names(var), orientation="samples x genes", **known)


def _in_memory(source: BulkSource) -> Table:
    adata = read_anndata(source.path)
    if adata.X is None or 0 in adata.shape:
        msg = f"{source.path} has no matrix X of samples and genes. Store the bulk expression there."
        raise FileFormatError(msg)
    _require_numbers(adata.X.dtype, source)
    values, known = adata.to_df(), dict[str, Any]()
    is_transposed = _are_genes(adata.obs_names, adata.var_names, source)
    if keys.COUNTS in adata.layers and _is_not_expression(values.T if is_transposed else values):
        values, known = adata.to_df(keys.COUNTS), _INSTEAD_OF_X
    values = values.astype(np.float64)
    if not is_transposed:
        gene_names = _gene_names(adata.var)
        return dense_table(values, gene_names=gene_names, orientation="samples x genes", **known)
    notes = ("The file has genes in obs and samples in var, so it was transposed.", *known.get("notes", ()))
    return dense_table(values, gene_names=_gene_names(adata.obs), **{**known, "notes": notes})


def _require_numbers(dtype: np.dtype, source: BulkSource) -> None:
    if dtype.kind not in "iuf":
        msg = f"X of {source.path} contains values of type {dtype}, not numbers. Store the expression there."
        raise FileFormatError(msg)


def _is_not_expression(x: Any) -> bool:  # noqa: ANN401 - a sparse matrix, an array or a table
    """Whether values, samples × genes, were centred or scaled, or are negative."""
    values = np.asarray(x.toarray() if hasattr(x, "toarray") else x, dtype=np.float64)
    values = np.where(np.isfinite(values), values, 0)
    return bool(values.min() < 0) or bool(describe_scaling(values))


def _are_genes(rows: pd.Index, columns: pd.Index, source: BulkSource) -> bool:
    """Whether the rows are genes, unlike what AnnData expects; a few samples may be named like genes."""
    orientation, reason = find_orientation(rows.astype(str), columns.astype(str), genes=source.genes)
    if orientation != "genes x samples" or reason == "longer axis":
        return False
    return reason == "Ensembl ids" or len(rows) > len(columns) or count_housekeeping(rows) > _MANY


def _gene_names(var: pd.DataFrame) -> pd.Series | None:
    return next((var[key].astype(str) for key in _GENE_NAMES if key in var), None)
