"""The readers of bulk tables, and which of them reads a file.

To support another format, write its reader, add it to `READERS`, and describe it in `hpvade._formats`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hpvade._errors import FileFormatError
from hpvade._formats import BULK_FORMATS, UNREADABLE, titles
from hpvade.io._files import reader_errors

from ._anndata_table import is_h5ad, is_zarr_store, open_anndata
from ._blocks import has_blocks, read_blocks
from ._delimited import (
    is_feature_counts,
    is_gct,
    is_nf_core,
    is_series_matrix,
    read_delimited,
    read_feature_counts,
    read_gct,
    read_nf_core,
    read_series_matrix,
)
from ._excel import read_excel
from ._folders import read_folder
from ._gene_names import split_gene_names
from ._head import WHITE_SPACE
from ._parquet import read_parquet
from ._quantifiers import QUANTIFIERS, is_htseq, is_star, read_htseq, read_star
from ._source import Reader, of_kind, with_head, without_tallies

if TYPE_CHECKING:
    from hpvade._formats import Format

    from ._source import BulkSource, Table

READERS: Final = {
    "h5ad": Reader(is_h5ad, open_anndata),
    "zarr": Reader(is_zarr_store, open_anndata),
    "excel": Reader(of_kind("excel"), read_excel),
    "parquet": Reader(of_kind("parquet"), read_parquet),
    "series matrix": Reader(is_series_matrix, read_series_matrix),
    "gct": Reader(with_head(is_gct), read_gct),
    "featureCounts": Reader(with_head(is_feature_counts), read_feature_counts),
    "nf-core": Reader(with_head(is_nf_core), read_nf_core),
    **{name: Reader(with_head(known.recognises), known.read) for name, known in QUANTIFIERS.items()},
    "star": Reader(is_star, read_star),
    "htseq": Reader(with_head(is_htseq), read_htseq),
    "tximport": Reader(with_head(has_blocks), read_blocks),
    "tsv": Reader(with_head(lambda head: head.separator == "\t"), read_delimited),
    "csv": Reader(with_head(lambda head: head.separator in {",", ";"}), read_delimited),
    "text": Reader(with_head(lambda head: head.separator == WHITE_SPACE), read_delimited),
}


def open_table(source: BulkSource) -> tuple[Table, Format]:
    """Open a bulk table with the reader of the first format that recognises it.

    Parameters
    ----------
    source
        A file, or a folder with one file a sample.

    Returns
    -------
    The table, and its format: that of the files of a folder.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, or in no known format.
    """
    if source.content.kind == "folder":
        return read_folder(source, open_table)
    with reader_errors(source.path, expected="a bulk table"):
        found = next((known for known in BULK_FORMATS if READERS[known.name].recognises(source)), None)
    if found is None:
        raise _not_read(source)
    table = without_tallies(READERS[found.name].read(source))
    if not (len(table.rows) and len(table.columns)):
        msg = f"{source.path} has no expression: {len(table.rows)} rows and {len(table.columns)} columns."
        raise FileFormatError(msg)
    return split_gene_names(table, source.genes), found


def _not_read(source: BulkSource) -> FileFormatError:
    """Say what a file is, and what to do."""
    kind, compression = source.content.kind, source.content.compression
    if kind in UNREADABLE:
        msg = f"{source.path} is not a bulk table, but {UNREADABLE[kind].title}. {UNREADABLE[kind].remedy}"
    elif kind == "packed":
        msg = (
            f"{source.path} is compressed with {compression}, but holds no text. Unpack it, and give what is "
            "inside."
        )
    else:
        msg = (
            f"{source.path} is in no format that is known. Expected a bulk table: {titles(BULK_FORMATS)}. "
            "Export it as a tab-separated table."
        )
    return FileFormatError(msg)
