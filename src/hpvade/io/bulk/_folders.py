"""Folders with one file a sample, joined to one table."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hpvade._errors import FileFormatError, InputError
from hpvade._formats import BULK_FORMATS, endings

from ._orientation import find_orientation
from ._sample_names import sample_names
from ._source import BulkSource, Table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hpvade._formats import Format

# Files of programs that write several files a sample; genes come before transcripts.
_FILES: Final = [
    re.compile(rf"{name}(\.(gz|bz2|xz|zip|zst))?$")
    for name in (
        r"\.genes\.results",
        r"\.isoforms\.results",
        r"(^|[._-])(quant\.)?genes\.sf",
        r"(^|[._-])quant\.sf",
        r"(^|[._-])abundance[._-]genes?\.tsv",
        r"(^|[._-])abundance\.tsv",
        r"augmented_star_gene_counts\.tsv",
        r"gene_abund\w*\.(tab|tsv|txt)",
        r"genes\.fpkm_tracking",
        r"ReadsPerGene\.out\.tab",
    )
]
_TEXT_ENDINGS: Final = endings(tuple(known for known in BULK_FORMATS if known.is_text))
_NO_TABLES: Final = re.compile(
    r"\.|(readme|manifest|license|md5(sums?)?|sha\d+(sums?)?|checksums?)(\.\w+)?$|.*\.(json|log|html?|md|summary|md5)$",
    re.IGNORECASE,
)
_SHOWN = 5  # names in a message
_SHARED = 0.8  # of the longest list of genes, from which files with different lists are joined


def read_folder(
    source: BulkSource, open_file: Callable[[BulkSource], tuple[Table, Format]]
) -> tuple[Table, Format]:
    """Read all files of a folder, and join them by their genes.

    Parameters
    ----------
    source
        The folder.
    open_file
        Reads a file, and returns its format.

    Raises
    ------
    FileFormatError
        If it has no files of samples, or the files do not belong together.
    """
    files, notes = _find_files(source.path)
    tables: list[Table] = []
    formats: dict[Format, Path] = {}
    for file in files:
        try:
            table, known = open_file(BulkSource(file, source.unit, source.genes, source.stack))
        except InputError as error:
            msg = f"{error} If the file is not a sample, move it out of the folder {source.path}."
            raise type(error)(msg) from error
        if not known.is_text:
            msg = f"{file} is not a text table ({known.title}). Give each such file by itself."
            raise FileFormatError(msg)
        formats.setdefault(known, file)
        table = _genes_in_rows(table, source)
        if tables:  # names need more memory than numbers, so they are kept once
            same = table.rows.equals(tables[0].rows)
            table = replace(table, rows=tables[0].rows if same else table.rows, gene_names=None)
        tables.append(table)
    if len(formats) > 1:
        (one, first), (other, second), *_ = formats.items()
        msg = (
            f"{source.path} has files of different formats: {first.name} ({one.title}) and {second.name} "
            f"({other.title}). Give a folder with the files of one program."
        )
        raise FileFormatError(msg)
    table = _join(source.path, files, tables)
    return replace(table, notes=(*notes, *table.notes)), next(iter(formats))


def _find_files(folder: Path) -> tuple[list[Path], list[str]]:
    """Find the files of samples in a folder, or one level below it, sorted by path; and notes about others.

    Raises
    ------
    FileFormatError
        If there are none.
    """
    entries = sorted(entry for entry in folder.iterdir() if not _NO_TABLES.match(entry.name))
    files = [entry for entry in entries if entry.is_file()]
    below = [file for entry in entries if entry.is_dir() for file in sorted(entry.iterdir())]
    below = [file for file in below if file.is_file() and not _NO_TABLES.match(file.name)]
    for pattern in _FILES:
        if found := [file for file in (*files, *below) if pattern.search(file.name)]:
            return found, []
    for candidates in (files, below):
        if found := [file for file in candidates if file.name.lower().endswith(_TEXT_ENDINGS)]:
            others = [file.name for file in candidates if file not in found]
            note = f"Files that do not end like text tables were not read: {', '.join(others[:_SHOWN])}."
            return found, [note] if others else []
    msg = (
        f"{folder} is a folder without tables of samples. Expected an AnnData zarr store, or one text file a "
        "sample, for instance quant.genes.sf of salmon or ReadsPerGene.out.tab of STAR."
    )
    raise FileFormatError(msg)


def _genes_in_rows(table: Table, source: BulkSource) -> Table:
    orientation = (
        table.orientation
        or find_orientation(table.rows, table.columns, corner=table.corner, genes=source.genes)[0]
    )
    if orientation == "genes x samples":
        return table
    return replace(table, values=table.values.T, rows=table.columns, columns=table.rows)


def _join(folder: Path, files: list[Path], tables: list[Table]) -> Table:
    """Join tables of genes × samples."""
    counted = Counter(note for table in tables for note in table.notes)
    notes = [
        note if n == len(tables) else f"{note} ({n} of {len(tables)} files)" for note, n in counted.items()
    ]
    genes, gene_names = tables[0].rows, tables[0].gene_names
    if all(table.rows is genes for table in tables):
        values = np.column_stack([table.values for table in tables])
    else:
        genes = _shared_genes(folder, files, tables)
        values = np.column_stack([table.values[table.rows.get_indexer(genes)] for table in tables])
        if gene_names is not None:
            gene_names = gene_names.iloc[tables[0].rows.get_indexer(genes)]
        largest = max(len(table.rows) for table in tables)
        notes.append(
            f"The files list different genes. The {len(genes):,} genes that all of them list were read; the "
            f"longest list has {largest:,}."
        )
    samples = [str(name) for table in tables for name in table.columns]
    if all(len(table.columns) == 1 for table in tables) and (
        tables[0].unit or len(set(samples)) < len(samples)
    ):
        samples = sample_names(files)
    return replace(
        tables[0],
        values=values,
        rows=genes,
        columns=pd.Index(samples),
        gene_names=gene_names,
        orientation="genes x samples",
        notes=tuple(notes),
    )


def _shared_genes(folder: Path, files: list[Path], tables: list[Table]) -> pd.Index:
    """Return the genes that all tables have, in the order of the first.

    Raises
    ------
    FileFormatError
        If they are too few, or a gene occurs twice in a table.
    """
    shared = tables[0].rows
    for file, table in zip(files, tables, strict=True):
        if not table.rows.is_unique:
            msg = (
                f"The files of {folder} list different genes, and {file.name} lists some more than once. "
                "Quantify all samples with the same annotation."
            )
            raise FileFormatError(msg)
        before, shared = len(shared), shared[shared.isin(table.rows)]
        if len(shared) < _SHARED * max(before, len(table.rows)):
            msg = (
                f"{file} does not list the same genes as the other files, such as {files[0]}: "
                f"{len(shared):,} of {max(before, len(table.rows)):,} are shared. Quantify all samples with "
                "the same annotation."
            )
            raise FileFormatError(msg)
    return shared
