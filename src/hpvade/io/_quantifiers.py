"""Readers of quantifiers' gene tables: nf-core/rnaseq (salmon), RSEM, featureCounts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pandas as pd

from hpvade._errors import FileFormatError

from ._tables import Head, Table, read_columns, read_head

if TYPE_CHECKING:
    from pathlib import Path

    from hpvade._types import BulkUnit

_FEATURE_COUNTS = ["Geneid", "Chr", "Start", "End", "Strand", "Length"]
_NF_CORE = ["gene_id", "gene_name"]
_RSEM_SUFFIX = re.compile(r"\.genes\.results(\.gz)?$")
_RSEM_COLUMN: Final[dict[str, str]] = {"counts": "expected_count", "fpkm": "FPKM"}


def read_quantifier(path: Path, head: Head, *, unit: str) -> Table | None:
    """Read the table of a quantifier, recognised by its header; None if it is none of theirs."""
    if head.header[:6] == _FEATURE_COUNTS:
        return _read_feature_counts(path, head)
    if head.header[:2] == _NF_CORE:
        return _read_nf_core(path, head)
    if _is_rsem(head):
        return read_rsem([path], unit=unit)
    return None


def rsem_files(folder: Path) -> list[Path]:
    """List a folder's RSEM gene tables, sorted by name."""
    return sorted(file for file in folder.iterdir() if _RSEM_SUFFIX.search(file.name))


def _read_feature_counts(path: Path, head: Head) -> Table:
    """Read a featureCounts table: counts, samples named by their BAM files."""
    _, values = read_columns(path, head, first=6)
    samples = [re.sub(r"\.bam$", "", name.replace("\\", "/").rsplit("/", 1)[-1]) for name in values.columns]
    return Table(
        values.set_axis(samples, axis=1), "featureCounts", unit="counts", orientation="genes x samples"
    )


def _read_nf_core(path: Path, head: Head) -> Table:
    """Read a merged salmon table of nf-core/rnaseq: gene_id, gene_name, then the samples."""
    text, values = read_columns(path, head, first=2)
    gene_names = text[1].set_axis(values.index)
    return Table(values, "nf-core", gene_names=gene_names, orientation="genes x samples")


def read_rsem(files: list[Path], *, unit: str) -> Table:
    """Read RSEM gene tables, one sample a file, named by the file.

    Parameters
    ----------
    files
        The tables.
    unit
        ``"counts"`` takes the expected counts and ``"fpkm"`` the FPKM; anything else the TPM.

    Raises
    ------
    FileFormatError
        If the files do not list the same genes.
    """
    column = _RSEM_COLUMN.get(unit, "TPM")
    samples: dict[str, pd.Series] = {}
    genes: pd.Index | None = None
    for file in files:
        head = read_head(file)
        if not _is_rsem(head):
            msg = (
                f"{file} is not an RSEM gene table: it lacks the columns gene_id, expected_count, TPM, FPKM."
            )
            raise FileFormatError(msg)
        _, numbers = read_columns(file, head, first=2)  # gene_id and transcript_id(s) are text
        if genes is not None and not numbers.index.equals(genes):
            msg = f"{file} does not list the genes of {files[0]}; quantify all samples with one annotation."
            raise FileFormatError(msg)
        genes = numbers.index
        samples[_RSEM_SUFFIX.sub("", file.name)] = numbers[column]
    # Positions, not names, join the columns: a gene may occur twice.
    values = pd.DataFrame({name: column.to_numpy() for name, column in samples.items()}, index=genes)
    found: dict[str, BulkUnit] = {"expected_count": "counts", "FPKM": "fpkm", "TPM": "tpm"}
    return Table(values, "rsem", unit=found[column], orientation="genes x samples")


def _is_rsem(head: Head) -> bool:
    return head.header[0] == "gene_id" and {"expected_count", "TPM", "FPKM"} <= set(head.header)
