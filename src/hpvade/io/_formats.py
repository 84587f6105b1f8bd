"""The formats of bulk tables: one record a format, and the readers.

To support another format, write its reader here and add its record to `FORMATS`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import anndata as ad
import numpy as np
import pandas as pd

from hpvade._errors import FileFormatError

from ._files import is_zarr, open_group, read_anndata, reader_errors, sliceable
from ._tables import WHITE_SPACE, Head, read_columns, read_head

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from hpvade._types import BulkUnit

Orientation = Literal["genes x samples", "samples x genes"]

_NOT_TEXT = {".h5", ".h5ad", ".rdata", ".rds", ".xls", ".xlsx"}  # suffixes, in lower case
_FEATURE_COUNTS_COLUMNS = ["Geneid", "Chr", "Start", "End", "Strand", "Length"]
_NF_CORE_COLUMNS = ["gene_id", "gene_name"]
_RSEM_COLUMNS = {"expected_count", "TPM", "FPKM"}
_RSEM_SUFFIX = re.compile(r"\.genes\.results(\.gz)?$")
_RSEM_UNITS: Final[dict[str, tuple[str, BulkUnit]]] = {
    "counts": ("expected_count", "counts"),
    "fpkm": ("FPKM", "fpkm"),
}
_GENE_NAME_COLUMNS = ("gene_name", "gene_symbol", "symbol", "description")
_ANNDATA_GENE_NAMES = ("gene_name", "gene_symbol", "feature_name")


@dataclass(frozen=True)
class Table:
    """Expression as stored in a file.

    Attributes
    ----------
    values
        float64 array, or a matrix on disk that can be sliced by rows.
    rows, columns
        Their names.
    corner
        The heading of the row names.
    gene_names
        Second names of the genes; None if there are none.
    unit, orientation
        None where the format does not define them. A matrix on disk is always samples × genes.
    """

    values: Any
    rows: pd.Index
    columns: pd.Index
    corner: str = ""
    gene_names: pd.Series | None = None
    unit: BulkUnit | None = None
    orientation: Orientation | None = None


@dataclass
class BulkSource:
    """A file or folder with a bulk table, its format not known yet.

    Attributes
    ----------
    path
        The file or folder.
    unit
        The unit that the user stated; some formats hold several.
    stack
        Closes what stays open while the table is read by blocks.
    """

    path: Path
    unit: BulkUnit
    stack: ExitStack

    @cached_property
    def head(self) -> Head | None:
        """The header of a text file; None for a folder or a binary file."""
        if self.path.is_dir() or self.path.suffix.lower() in _NOT_TEXT:
            return None
        return read_head(self.path)


@dataclass(frozen=True)
class BulkFormat:
    """A format of bulk tables.

    Attributes
    ----------
    name
        As ``uns["hpvade"]["format"]`` and ``run.json`` show it.
    suffixes
        Usual ends of file names, for messages; a format is recognised by ``recognise`` alone.
    made_by
        Which program writes it.
    content
        What is read from it.
    recognise
        Whether a file or folder has this format.
    read
        Reads or opens the table.
    """

    name: str
    suffixes: tuple[str, ...]
    made_by: str
    content: str
    recognise: Callable[[BulkSource], bool] = field(repr=False)
    read: Callable[[BulkSource], Table] = field(repr=False)


def open_table(source: BulkSource) -> tuple[Table, BulkFormat]:
    """Open a bulk table with the reader of the first format that recognises it.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, or in no known format.
    """
    with reader_errors(source.path, expected="a bulk table"):
        found = next((known for known in FORMATS if known.recognise(source)), None)
    if found is None:
        known = "\n".join(
            f"  {known.name} ({', '.join(known.suffixes)}; {known.made_by}): {known.content}"
            for known in FORMATS
        )
        msg = (
            f"The format of {source.path} is not recognised. Supported formats:\n{known}\n"
            "Export it as a tab-separated table."
        )
        raise FileFormatError(msg)
    return found.read(source), found


# AnnData


def _is_h5ad(source: BulkSource) -> bool:
    return source.path.suffix == ".h5ad" and not is_zarr(source.path)


def _is_zarr(source: BulkSource) -> bool:
    return is_zarr(source.path)


def _open_anndata(source: BulkSource) -> Table:
    """Open an AnnData file on disk, or read it if it cannot be read by samples."""
    file = source.stack.enter_context(open_group(source.path))
    return _anndata_on_disk(source.path, file) or _anndata_in_memory(source.path)


def _anndata_on_disk(path: Path, file: Any) -> Table | None:  # noqa: ANN401 - a group of h5py or of zarr
    """Open X by samples; None if it is stored by genes, or the file is old, empty or not AnnData."""
    with reader_errors(path, expected="an AnnData file"):
        index = file["obs"].attrs.get("_index") if "obs" in file and "X" in file else None
        x = None if index is None else sliceable(file["X"])
        if x is None or getattr(x, "format", "csr") != "csr" or 0 in x.shape:
            return None
        var = ad.io.read_elem(file["var"])
        samples = pd.Index(ad.io.read_elem(file["obs"][index]))
    return Table(x, samples, var.index, gene_names=_anndata_gene_names(var), orientation="samples x genes")


def _anndata_in_memory(path: Path) -> Table:
    adata = read_anndata(path)
    if adata.X is None or 0 in adata.shape:
        msg = f"{path} has no matrix X of samples and genes. Store the bulk expression there."
        raise FileFormatError(msg)
    values = adata.to_df().astype(np.float64)
    return _table(values, gene_names=_anndata_gene_names(adata.var), orientation="samples x genes")


def _anndata_gene_names(var: pd.DataFrame) -> pd.Series | None:
    return next((var[key].astype(str) for key in _ANNDATA_GENE_NAMES if key in var), None)


# GCT


def _is_gct(head: Head) -> bool:
    return bool(head.skipped) and head.skipped[0].startswith("#1.")


def _read_gct(source: BulkSource) -> Table:
    """Read two lines with version and dimensions, then Name, Description, and the samples."""
    path, head = source.path, _head(source)
    dimensions = head.skipped[1].split()
    if not head.skipped[0].startswith("#1.2") or len(dimensions) < 2:
        msg = f"{path} is not a GCT file of version 1.2 (its first line is not '#1.2'). Export it as 1.2."
        raise FileFormatError(msg)
    text, values = read_columns(path, head, first=2)
    if [str(n) for n in values.shape] != dimensions[:2]:
        msg = (
            f"{path} is truncated or mislabelled: its second line states {dimensions[0]} genes and "
            f"{dimensions[1]} samples, but it has {values.shape[0]} and {values.shape[1]}. "
            "Download or export it again."
        )
        raise FileFormatError(msg)
    return _table(values, gene_names=text[1], orientation="genes x samples")


# featureCounts


def _is_feature_counts(head: Head) -> bool:
    return head.header[:6] == _FEATURE_COUNTS_COLUMNS


def _read_feature_counts(source: BulkSource) -> Table:
    """Read counts; samples are named after their BAM files."""
    _, values = read_columns(source.path, _head(source), first=6)
    samples = [re.sub(r"\.bam$", "", name.replace("\\", "/").rsplit("/", 1)[-1]) for name in values.columns]
    return _table(values.set_axis(samples, axis=1), unit="counts", orientation="genes x samples")


# nf-core/rnaseq


def _is_nf_core(head: Head) -> bool:
    return head.header[:2] == _NF_CORE_COLUMNS


def _read_nf_core(source: BulkSource) -> Table:
    text, values = read_columns(source.path, _head(source), first=2)
    return _table(values, gene_names=text[1], orientation="genes x samples")


# RSEM


def _is_rsem(source: BulkSource) -> bool:
    return bool(_rsem_files(source.path)) or _is_text(_has_rsem_columns)(source)


def _rsem_files(path: Path) -> list[Path]:
    """List the RSEM gene tables of a folder, sorted by name."""
    if not path.is_dir():
        return []
    return sorted(file for file in path.iterdir() if _RSEM_SUFFIX.search(file.name))


def _has_rsem_columns(head: Head) -> bool:
    return head.header[0] == "gene_id" and set(head.header) >= _RSEM_COLUMNS


def _read_rsem(source: BulkSource) -> Table:
    """Read the table or the folder of tables; each is one sample, named after its file.

    Raises
    ------
    FileFormatError
        If the files do not list the same genes.
    """
    column, unit = _RSEM_UNITS.get(source.unit, ("TPM", "tpm"))
    files = _rsem_files(source.path) or [source.path]
    samples: dict[str, pd.Series] = {}
    genes: pd.Index | None = None
    for file in files:
        head = read_head(file)
        if not _has_rsem_columns(head):
            msg = (
                f"{file} is not an RSEM gene table: it must have the columns gene_id, expected_count, TPM "
                "and FPKM. Remove it from the folder or export it again."
            )
            raise FileFormatError(msg)
        _, numbers = read_columns(file, head, first=2)  # gene_id and transcript_id(s) are text
        if genes is not None and not numbers.index.equals(genes):
            msg = (
                f"{file} does not list the same genes as {files[0]}. "
                "Quantify all samples with the same annotation."
            )
            raise FileFormatError(msg)
        genes = numbers.index
        samples[_RSEM_SUFFIX.sub("", file.name)] = numbers[column]
    # Joined by position, because a gene may occur twice.
    values = pd.DataFrame({name: numbers.to_numpy() for name, numbers in samples.items()}, index=genes)
    return _table(values, unit=unit, orientation="genes x samples")


# Plain delimited text


def _read_delimited(source: BulkSource) -> Table:
    """Read a plain table in either orientation; its second column may hold gene names."""
    head = _head(source)
    has_gene_names = len(head.header) > 2 and head.header[1].lower() in _GENE_NAME_COLUMNS
    text, values = read_columns(source.path, head, first=2 if has_gene_names else 1)
    return _table(
        values,
        corner=head.header[0],
        gene_names=text[1] if has_gene_names else None,
        orientation="genes x samples" if has_gene_names else None,
    )


def _is_text(recognise: Callable[[Head], bool]) -> Callable[[BulkSource], bool]:
    """Turn a rule about the header of a text file into one about any file or folder."""
    return lambda source: source.head is not None and recognise(source.head)


def _head(source: BulkSource) -> Head:
    return source.head or read_head(source.path)


def _table(values: pd.DataFrame, **known: Any) -> Table:  # noqa: ANN401 - other fields of `Table`
    return Table(values.to_numpy(), values.index, values.columns, **known)


# The first that recognises a file reads it, so plain text comes last.
FORMATS: Final = (
    BulkFormat(
        name="h5ad",
        suffixes=(".h5ad",),
        made_by="AnnData",
        content="X, samples by genes",
        recognise=_is_h5ad,
        read=_open_anndata,
    ),
    BulkFormat(
        name="zarr",
        suffixes=(".zarr",),
        made_by="AnnData",
        content="X, samples by genes",
        recognise=_is_zarr,
        read=_open_anndata,
    ),
    BulkFormat(
        name="gct",
        suffixes=(".gct", ".gct.gz"),
        made_by="GenePattern, GTEx",
        content="version 1.2",
        recognise=_is_text(_is_gct),
        read=_read_gct,
    ),
    BulkFormat(
        name="featureCounts",
        suffixes=(".txt", ".txt.gz"),
        made_by="featureCounts",
        content="counts of all samples",
        recognise=_is_text(_is_feature_counts),
        read=_read_feature_counts,
    ),
    BulkFormat(
        name="nf-core",
        suffixes=(".tsv",),
        made_by="nf-core/rnaseq",
        content="a merged gene table of salmon, TPM or counts",
        recognise=_is_text(_is_nf_core),
        read=_read_nf_core,
    ),
    BulkFormat(
        name="rsem",
        suffixes=(".genes.results", ".genes.results.gz"),
        made_by="RSEM",
        content="one file or a folder of files; TPM, unless --bulk-unit is counts or fpkm",
        recognise=_is_rsem,
        read=_read_rsem,
    ),
    BulkFormat(
        name="tsv",
        suffixes=(".tsv", ".txt", ".tsv.gz"),
        made_by="any program",
        content="genes by samples or samples by genes, separated by tabs",
        recognise=_is_text(lambda head: head.separator == "\t"),
        read=_read_delimited,
    ),
    BulkFormat(
        name="csv",
        suffixes=(".csv", ".csv.gz"),
        made_by="any program",
        content="genes by samples or samples by genes, separated by commas or semicolons",
        recognise=_is_text(lambda head: head.separator in {",", ";"}),
        read=_read_delimited,
    ),
    BulkFormat(
        name="text",
        suffixes=(".txt", ".txt.gz"),
        made_by="any program",
        content="genes by samples or samples by genes, separated by white space",
        recognise=_is_text(lambda head: head.separator == WHITE_SPACE),
        read=_read_delimited,
    ),
)
