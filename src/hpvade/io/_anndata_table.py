"""Bulk tables in AnnData files, zarr folders, and zarr folders in a zip file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import anndata as ad
import numpy as np
import pandas as pd

from hpvade._errors import FileFormatError

from ._compression import archived_files
from ._files import open_group, read_anndata, reader_errors, sliceable
from ._orientation import count_housekeeping, find_orientation
from ._source import Table, dense_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._source import BulkSource

_GENE_NAMES: Final = ("gene_name", "gene_symbol", "feature_name")
_MANY = 10  # well-known genes


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
        file = source.stack.enter_context(_open_group(source))
        table = _on_disk(source, file)
        return _in_memory(source, file) if table is None else table


@contextmanager
def _open_group(source: BulkSource) -> Iterator[Any]:
    """Open the root group."""
    if source.content.kind != "zarr zip":
        with open_group(source.path) as group:
            yield group
        return
    import zarr  # noqa: PLC0415 - takes a quarter of a second, and most files are h5ad

    markers = [
        name for name in archived_files(source.path) if name.endswith(("zarr.json", ".zgroup", ".zattrs"))
    ]
    root = min(markers, key=lambda name: name.count("/")).rpartition("/")[0]
    with zarr.storage.ZipStore(source.path, mode="r") as store:
        yield zarr.open_group(store, path=root or None, mode="r")


def _on_disk(source: BulkSource, file: Any) -> Table | None:  # noqa: ANN401 - a group of h5py or of zarr
    """Open X by samples; None if it is stored by genes, transposed, old, empty or not AnnData."""
    index = file["obs"].attrs.get("_index") if "obs" in file and "X" in file else None
    x = None if index is None else sliceable(file["X"])
    if x is None or getattr(x, "format", "csr") != "csr" or 0 in x.shape:
        return None
    var = ad.io.read_elem(file["var"])
    samples = pd.Index(ad.io.read_elem(file["obs"][index]))
    if _are_genes(samples, var.index, source):
        return None
    return Table(x, samples, var.index, gene_names=_gene_names(var), orientation="samples x genes")


def _in_memory(source: BulkSource, file: Any) -> Table:  # noqa: ANN401 - a group of h5py or of zarr
    adata = ad.read_zarr(file) if source.content.kind == "zarr zip" else read_anndata(source.path)
    if adata.X is None or 0 in adata.shape:
        msg = f"{source.path} has no matrix X of samples and genes. Store the bulk expression there."
        raise FileFormatError(msg)
    values = adata.to_df().astype(np.float64)
    if not _are_genes(adata.obs_names, adata.var_names, source):
        return dense_table(values, gene_names=_gene_names(adata.var), orientation="samples x genes")
    note = "The file has genes in obs and samples in var, so it was transposed."
    return dense_table(values, gene_names=_gene_names(adata.obs), notes=(note,))


def _are_genes(rows: pd.Index, columns: pd.Index, source: BulkSource) -> bool:
    """Whether the rows are genes, unlike what AnnData expects; a few samples may be named like genes."""
    orientation, reason = find_orientation(rows.astype(str), columns.astype(str), genes=source.genes)
    if orientation != "genes x samples" or reason == "longer axis":
        return False
    return reason == "Ensembl ids" or len(rows) > len(columns) or count_housekeeping(rows) > _MANY


def _gene_names(var: pd.DataFrame) -> pd.Series | None:
    return next((var[key].astype(str) for key in _GENE_NAMES if key in var), None)
