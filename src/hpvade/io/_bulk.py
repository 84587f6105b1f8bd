"""Reader of bulk expression: any supported file → samples × genes, linear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._bulk_file import open_bulk

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from anndata import AnnData

    from hpvade._types import BulkUnit


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
    with open_bulk(path, unit=unit, genes=genes) as file:
        return file.block(0, file.n_obs)
