"""Reader of labelled single-cell references: h5ad, zarr, and 10x folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from anndata import AnnData

from hpvade import _keys as keys
from hpvade._errors import FileFormatError

from ._counts import find_counts, to_csr
from ._files import is_zarr, read_anndata
from ._genes import distinct_genes
from ._labels import categorise_names
from ._tenx import is_tenx, read_tenx

if TYPE_CHECKING:
    import os


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
        genes.tsv) with a table of labels in it: labels.tsv, labels.csv, metadata.tsv or metadata.csv,
        first column the barcode.
    labels_key
        Column of ``obs`` with the cell types.
    donor_key
        Column of ``obs`` with the donors, if there is one.
    layer
        Where the counts are: the name of a layer, ``"X"`` or ``"raw"``. If None they are searched for, in
        ``layers["counts"]``, ``X``, ``raw.X``, and the other layers.

    Returns
    -------
    Cells × genes. ``layers["counts"]`` holds the counts (CSR float32, non-negative whole numbers), never
    sharing memory with X. X is as it was found, unless the genes had to change (counts in a ``raw`` with
    other genes, repeated gene names summed): then X holds the counts too. ``obs[labels_key]`` and
    ``obs[donor_key]`` are categories of strings, NaN where missing. ``uns["hpvade"]["counts_found_in"]``
    says where the counts were.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, or in another format.
    LabelError
        If the columns are not there.
    CountsError
        If no place holds counts.
    """
    path = Path(path)
    adata = read_tenx(path, labels_key=labels_key) if is_tenx(path) else _read_anndata(path)
    categorise_names(adata.obs, labels_key=labels_key, donor_key=donor_key, path=path)
    place = find_counts(adata, layer=layer, path=path)
    counts = to_csr(place.matrix)
    var, columns = distinct_genes(place.var)
    if columns is not None:
        counts = counts @ columns
    if not var.index.equals(adata.var_names):
        adata = AnnData(X=counts.copy(), obs=adata.obs, var=var, obsm=dict(adata.obsm), uns=adata.uns)
    adata.layers[keys.COUNTS] = counts
    adata.uns[keys.UNS] = {**adata.uns.get(keys.UNS, {}), "counts_found_in": place.name}
    return adata


def _read_anndata(path: Path) -> AnnData:
    if path.is_dir() and not is_zarr(path):
        msg = (
            f"{path} is a folder, but neither an AnnData zarr store nor a 10x folder "
            "(matrix.mtx, barcodes.tsv, features.tsv); name the reference's h5ad file or folder."
        )
        raise FileFormatError(msg)
    adata = read_anndata(path)
    if 0 in adata.shape:
        msg = f"{path} holds {adata.n_obs} cells and {adata.n_vars} genes; expected a reference with both."
        raise FileFormatError(msg)
    adata.obs_names = _unique(adata.obs_names)
    return adata


def _unique(names: pd.Index) -> pd.Index:
    """Append -1, -2, … to repeated cell names."""
    while not names.is_unique:
        repeat = pd.Series(names).groupby(names.to_numpy()).cumcount()
        names = pd.Index([f"{name}-{k}" if k else str(name) for name, k in zip(names, repeat, strict=True)])
    return names
