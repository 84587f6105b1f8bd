"""Reader of bulk expression: any supported file → samples × genes, linear."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from hpvade import _keys as keys
from hpvade._errors import CountsError, FileFormatError, InputError
from hpvade._warnings import DataWarning, warn

from ._foreign import foreign_reader, is_zarr
from ._genes import group_columns, tell_repeats
from ._orientation import orient
from ._quantifiers import read_quantifier, read_rsem, rsem_files
from ._tables import Table, read_anndata_table, read_delimited, read_gct, read_head
from ._units import to_linear

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from hpvade._types import BulkUnit

_FORMATS = "TSV, CSV, GCT, h5ad, zarr, or a gene table of nf-core/rnaseq, RSEM or featureCounts"


def read_bulk(
    path: str | os.PathLike[str], *, unit: BulkUnit = "auto", genes: Iterable[str] | None = None
) -> AnnData:
    """Read bulk expression.

    Parameters
    ----------
    path
        TSV, CSV or other delimited text (genes × samples or samples × genes), GCT, h5ad or zarr
        (samples × genes), a merged salmon table of nf-core/rnaseq, a table of featureCounts, or RSEM
        gene tables (one file, or a folder of them); text may be compressed with gzip.
    unit
        The unit of the values; ``"auto"`` looks at the format and at the values.
    genes
        Known gene names, for instance the reference's: they help to tell genes from samples.

    Returns
    -------
    Samples × genes; X is dense float64 on the linear scale, repeated genes summed. ``var["gene_name"]``
    holds second names where the file has them. ``uns["hpvade"]`` says what was found and done: ``format``,
    ``orientation``, ``orientation_by``, ``unit``, ``unit_given_or_detected``, ``transform``, ``notes``.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, in no known format, or holds something other than numbers.
    CountsError
        If a value is missing, infinite, or negative where no logarithm explains it.
    InputError
        If samples are repeated, all zero, or constant.
    """
    path = Path(path)
    table = _read_table(path, unit=unit)
    values, orientation, orientation_by = orient(table, genes=genes)
    _refuse(values, ~np.isfinite(values.to_numpy()), reason="missing or infinite", path=path)
    linear = to_linear(values, unit=unit, by_format=table.unit)
    _refuse(linear.values, linear.values.to_numpy() < 0, reason="negative", path=path)

    x, var, gene_notes = _one_column_per_gene(linear.values, gene_names=table.gene_names)
    _refuse_bad_samples(x, samples=values.index, path=path)
    notes = [*linear.notes, *gene_notes]
    if orientation_by == "longer axis":
        notes.append(f"Nothing in the names tells genes from samples; {orientation} was taken by length.")
    for note in notes:
        warn(f"{path.name}: {note}", DataWarning)

    bulk = AnnData(X=x, obs=pd.DataFrame(index=values.index.astype(str)), var=var)
    bulk.uns[keys.UNS] = {
        "format": table.format,
        "orientation": orientation,
        "orientation_by": orientation_by,
        "unit": linear.unit,
        "unit_given_or_detected": linear.given_or_detected,
        "transform": linear.transform,
        "notes": notes,
    }
    return bulk


def _read_table(path: Path, *, unit: str) -> Table:
    with foreign_reader(path, expected=_FORMATS):
        files = rsem_files(path) if path.is_dir() else []
    if files:
        return read_rsem(files, unit=unit)
    if is_zarr(path) or path.suffix == ".h5ad":
        return read_anndata_table(path)
    if path.is_dir() or path.suffix in {".xlsx", ".xls", ".rds", ".RData", ".h5"}:
        msg = f"{path} is in no known format: expected {_FORMATS}; export it as a tab-separated table."
        raise FileFormatError(msg)
    head = read_head(path)
    if head.skipped and head.skipped[0].startswith("#1."):
        return read_gct(path, head)
    return read_quantifier(path, head, unit=unit) or read_delimited(path, head)


def _refuse(values: pd.DataFrame, bad: NDArray[np.bool_], *, reason: str, path: Path) -> None:
    """Raise about the first bad value of a table of samples × genes."""
    if not bad.any():
        return
    sample, gene = np.argwhere(bad)[0]
    value = float(values.to_numpy()[sample, gene])
    msg = (
        f"{path}: the value {value:g} of sample '{values.index[sample]}', gene "
        f"'{values.columns[gene]}' is {reason} ({int(bad.sum())} such values in all). Expression is finite "
        "and not negative: correct the table, or drop those genes or samples."
    )
    raise CountsError(msg)


def _one_column_per_gene(
    values: pd.DataFrame, *, gene_names: pd.Series | None
) -> tuple[NDArray[np.float64], pd.DataFrame, list[str]]:
    """Drop genes without a name and sum repeated ones; also says so."""
    names = values.columns.astype(str)
    var = pd.DataFrame(index=names)
    if gene_names is not None:
        var["gene_name"] = gene_names.to_numpy()
    x = values.to_numpy()
    notes = []
    named = names.str.strip() != ""
    if not named.all():
        notes.append(f"{int((~named).sum())} genes without a name were dropped.")
        x, var = x[:, named], var[named]
    if not var.index.is_unique:
        notes.append(f"{tell_repeats(var.index)}; they were summed.")
        x = x @ group_columns(var.index)
        var = var[~var.index.duplicated()]
    return np.ascontiguousarray(x, dtype=np.float64), var, notes


def _refuse_bad_samples(x: NDArray[np.float64], *, samples: pd.Index, path: Path) -> None:
    """Collect every problem with a sample of ``x`` (samples × genes), and raise about all at once."""
    zero = (x == 0).all(axis=1)
    constant = ~zero & (x == x[:, :1]).all(axis=1)
    found = {
        "repeated": samples[samples.duplicated()].unique(),
        "zero for every gene": samples[zero],
        "the same value for every gene": samples[constant],
    }
    told = [f"{what}: {', '.join(map(repr, who))}" for what, who in found.items() if len(who)]
    if told:
        msg = f"{path}: samples that cannot be used are {'; '.join(told)}. Rename or remove them."
        raise InputError(msg)
