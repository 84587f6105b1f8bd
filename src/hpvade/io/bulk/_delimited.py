"""Tables of delimited text, whoever wrote them; and the text formats that hold all samples in one table."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hpvade._errors import FileFormatError
from hpvade.io._compression import Text
from hpvade.io._files import reader_errors

from ._columns import choose_columns
from ._head import read_head
from ._sample_names import sample_name
from ._source import dense_table
from ._tables import read_columns

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from ._columns import ChosenColumns
    from ._head import Head
    from ._source import BulkSource, Table

_FEATURE_COUNTS: Final = ["Geneid", "Chr", "Start", "End", "Strand", "Length"]
_NF_CORE: Final = ["gene_id", "gene_name"]
_SERIES_START, _SERIES_END = "!series_matrix_table_begin", "!series_matrix_table_end"


def read_delimited(source: BulkSource) -> Table:
    """Read a plain table in either orientation."""
    return read_table(source.text, source.head, genes=source.genes)


def read_table(text: Text, head: Head, *, genes: Collection[str] = (), **known: Any) -> Table:  # noqa: ANN401
    """Read the columns of a text that hold names and expression.

    Parameters
    ----------
    text, head
        The text and its head.
    genes
        Known gene names.
    known
        Other fields of `Table`.
    """
    return read_chosen(text, head, choose_columns(text.path, head.header, head.rows, genes=genes), **known)


def read_chosen(text: Text, head: Head, chosen: ChosenColumns, **known: Any) -> Table:  # noqa: ANN401
    """Read chosen columns of a text; arguments as for `read_table`."""
    texts = [chosen.rows] if chosen.gene_names is None else [chosen.rows, chosen.gene_names]
    names, notes = (chosen.names, []) if head.header else _named_by_file(text.path, len(chosen.values))
    read = read_columns(text, head, texts=texts, numbers=chosen.values, names=names)
    notes = [*head.notes, *notes, *chosen.notes, *read.notes]
    if not _is_ascii([*read.numbers.index, *names]) and not text.is_unicode():
        notes.append("The file is not valid UTF-8; its names were read as Windows-1252 (Latin-1).")
    if chosen.gene_names is not None:
        known = {"gene_names": read.text[chosen.gene_names], "orientation": "genes x samples", **known}
    corner = head.header[chosen.rows] if head.header else ""
    return dense_table(read.numbers, corner=corner, notes=tuple(notes), **known)


def _named_by_file(path: Path, n_samples: int) -> tuple[list[str], list[str]]:
    """Return names for the samples of a table without a header, and a note."""
    if n_samples == 1:
        names, named = [sample_name(path)], "The sample was named after the file"
    else:
        names, named = [f"sample_{i + 1}" for i in range(n_samples)], "Samples were numbered"
    return names, [f"The table has no header: its first line has numbers like those below it. {named}."]


def _is_ascii(names: list[str]) -> bool:
    return all(map(str.isascii, names))


# GCT


def is_gct(head: Head) -> bool:
    """Whether the first line is that of a GCT file."""
    return bool(head.skipped) and head.skipped[0].startswith("#1.")


def read_gct(source: BulkSource) -> Table:
    """Read two lines with version and dimensions, then Name, Description, and the samples."""
    path, head = source.path, source.head
    dimensions = head.skipped[1].split()
    if not head.skipped[0].startswith("#1.2") or len(dimensions) < 2 or len(head.header) < 3:
        msg = (
            f"{path} is not a GCT file of version 1.2: expected '#1.2' in the first line, then the numbers "
            "of genes and samples, then the columns Name, Description and the samples. Export it as 1.2."
        )
        raise FileFormatError(msg)
    read = read_columns(source.text, head, texts=[0, 1], numbers=range(2, head.width), names=head.header[2:])
    if [str(n) for n in read.numbers.shape] != dimensions[:2]:
        msg = (
            f"{path} is truncated or mislabelled: its second line states {dimensions[0]} genes and "
            f"{dimensions[1]} samples, but it has {read.numbers.shape[0]} and {read.numbers.shape[1]}. "
            "Download or export it again."
        )
        raise FileFormatError(msg)
    return dense_table(
        read.numbers, gene_names=read.text[1], orientation="genes x samples", notes=tuple(read.notes)
    )


# featureCounts


def is_feature_counts(head: Head) -> bool:
    """Whether the header is that of featureCounts."""
    return head.header[:6] == _FEATURE_COUNTS


def read_feature_counts(source: BulkSource) -> Table:
    """Read counts; samples are named after their BAM files."""
    path, head = source.path, source.head
    ignored = range(1, len(_FEATURE_COUNTS))
    chosen = choose_columns(path, head.header, head.rows, genes=source.genes, ignored=ignored)
    names = [re.sub(r"\.bam$", "", name.replace("\\", "/").rsplit("/", 1)[-1]) for name in chosen.names]
    chosen = replace(chosen, names=names)
    return read_chosen(source.text, head, chosen, unit="counts", orientation="genes x samples")


# nf-core/rnaseq


def is_nf_core(head: Head) -> bool:
    """Whether the header is that of a merged table of genes."""
    return head.header[:2] == _NF_CORE


def read_nf_core(source: BulkSource) -> Table:
    """Read a merged table of genes."""
    return read_table(source.text, source.head, genes=source.genes, orientation="genes x samples")


# GEO series matrix


def is_series_matrix(source: BulkSource) -> bool:
    """Whether the first line is that of a series matrix."""
    if not source.is_text:
        return False
    with source.text.open() as handle:
        return handle.readline().startswith("!Series_")


def read_series_matrix(source: BulkSource) -> Table:
    """Read the table between two marks.

    Raises
    ------
    FileFormatError
        If it is empty, as for most series of RNA-seq, or has no end.
    """
    stored = source.new_file("table.tsv")
    line = ""
    with (
        reader_errors(source.path, expected="a GEO series matrix"),
        source.text.open() as handle,
        stored.open("w", encoding="utf-8") as table,
    ):
        for line in handle:
            if line.startswith(_SERIES_START):
                break
        n_lines = 0
        for line in handle:
            if line.startswith(_SERIES_END):
                break
            table.write(line)
            n_lines += 1
    if n_lines < 2:
        msg = (
            f"{source.path} is a GEO series matrix without values. Series of RNA-seq have their table of "
            "counts or TPM among their supplementary files: download that."
        )
        raise FileFormatError(msg)
    if not line.startswith(_SERIES_END):
        msg = f"{source.path} is truncated: it has no line {_SERIES_END}. Download it again."
        raise FileFormatError(msg)
    text = Text(source.path, stored)
    return read_table(text, read_head(text), genes=source.genes, orientation="genes x samples")
