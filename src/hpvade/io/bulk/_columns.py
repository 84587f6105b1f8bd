"""Which columns of a table hold names, which hold samples, and which are about the genes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hpvade._errors import FileFormatError

from ._head import MISSING, is_number_column, split_words
from ._orientation import count_housekeeping

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

# Names of columns, in lower case and without other characters than letters and digits.
_SYMBOLS: Final = (
    "genename", "genesymbol", "symbol", "hgncsymbol", "hugosymbol", "mgisymbol", "externalgenename",
    "associatedgenename", "geneshortname", "featurename", "genesymbols", "gene", "genes", "identifier",
    "approvedsymbol", "officialsymbol", "officialgenesymbol",
)  # fmt: skip
_GENE_IDS: Final = (
    "geneid", "ensemblgeneid", "ensemblid", "ensembl", "ensgid", "ensg", "genestableid", "ensemblgene",
    "featureid",
)  # fmt: skip
_NO_SAMPLES: Final = {
    # sizes
    "exonsize", "genesize",
    # identifiers
    *_SYMBOLS, *_GENE_IDS, "entrez", "entrezid", "entrezgene", "entrezgeneid", "ncbi", "ncbiid",
    "ncbigene", "ncbigeneid", "locuslink", "locuslinkid", "hgncid", "mgiid", "refseq", "refseqid",
    "uniprot", "uniprotid", "omimid", "ucscid", "vegaid", "havanagene", "transcriptid", "transcriptids",
    "transcript", "probe", "probeid", "probeset", "probesetid", "idref", "trackingid", "tssid",
    "nearestrefid", "classcode",
    # descriptions
    "description", "genedescription", "genetitle", "fullname", "definition", "product", "synonyms",
    "alias", "aliases", "genebiotype", "biotype", "genetype", "typeofgene", "genestatus", "genesource",
    "genefamily", "locustag",
    # places
    "chr", "chrom", "chromosome", "chromosomename", "chromosomescaffoldname", "seqname", "seqnames",
    "contig", "scaffold", "karyotypeband", "cytoband", "band", "locus", "strand", "genestart", "geneend",
    "startposition", "endposition", "genestartbp", "geneendbp", "txstart", "txend", "tss", "coordinates",
    "genomiclocation",
    # properties of genes
    "gccontent", "genegccontent", "percentagegenegccontent", "gcpercent", "exoncount", "nexons",
    "numexons", "transcriptcount", "ntranscripts",
    # statistics
    "basemean", "logfc", "log2fc", "log2foldchange", "foldchange", "lfcse", "pvalue", "pval", "padj",
    "adjpval", "adjpvalue", "fdr", "qvalue", "qval", "logcpm", "aveexpr",
}  # fmt: skip
# Facts about samples, where these are in rows.
_FACTS: Final = {
    "age", "sex", "gender", "bmi", "batch", "rin", "height", "bodyweight", "survival", "survivaltime",
    "ostime", "osmonths", "osstatus", "vitalstatus", "purity", "tumorpurity", "stage", "grade",
}  # fmt: skip
# Names that samples might have; they are used only beside a column that shows what the table contains.
_BESIDE_CHROMOSOME: Final = {
    "start", "end", "width", "position", "stop", "begin", "size", "source", "score", "level",
}  # fmt: skip
_CHROMOSOME: Final = {"chr", "chrom", "chromosome", "chromosomename", "seqname", "seqnames", "contig"}
_BESIDE_TEST: Final = {"stat", "t", "b", "f", "lr", "significant", "direction", "rank", "zscore"}
_TEST: Final = {"logfc", "log2fc", "log2foldchange", "pvalue", "pval", "padj", "fdr"}
_DOUBTFUL: Final = {
    *_BESIDE_CHROMOSOME, "total", "sum", "mean", "average", "median", "min", "max", "sd", "variance", "type",
    "class", "group", "weight", "time", "number", "rowsum", "rowmean", "rowmeans", "rowsums",
}  # fmt: skip

_SUMMARIES: Final = {"total", "sum", "mean", "average", "rowsum", "rowmean", "rowmeans", "rowsums"}
_ROUNDED = 0.51  # largest difference of a mean that was rounded to whole numbers

_ENSEMBL_GENE = re.compile(r"ENS[A-Z]*G\d+(\.\d+)?(_PAR_Y)?")
# Transcripts of Ensembl and RefSeq; probes of Affymetrix, Illumina, Agilent and methylation arrays.
NOT_GENES: Final = {
    "transcripts": re.compile(r"ENS[A-Z]*T\d+(\.\d+)?(\|.*)?|[NX][MR]_\d+(\.\d+)?"),
    "probes": re.compile(r"\d+(_[a-z]+)*_at|AFFX-.*|ILMN_\d+|A_\d+_P\d+|TC\d{8,}\.hg\.\d|cg\d{8}|\d{7,8}_st"),
}
_ROW_NUMBERS: Final = {"", "unnamed0", "x", "index", "row", "nr", "no"}  # names of such a column
_WHOLE = re.compile(r"\d+|\d{1,3}([., ']\d{3})+")
_LENGTH = re.compile(
    r"(genes?|transcript|exons?|exonic|eff|effective|median|mean|avg|average|max|longest|union|merged|collapsed|cds"
    r"|total|isoform|feature)*length(in)?(bp|kb|bases)?"
)
_SEVERAL_WORDS = re.compile(r"\S+\s.*")
_SHOWN = 5  # names in a message
_ENOUGH_ROWS = 20  # to see what a column holds


@dataclass(frozen=True)
class ChosenColumns:
    """Positions of the columns that are read.

    Attributes
    ----------
    rows
        The names of the rows.
    gene_names
        Second names of the genes; None if there are none.
    values, names
        The columns of numbers, and what they are called.
    notes
        What was left out, and what is doubtful.
    """

    rows: int
    gene_names: int | None
    values: list[int]
    names: list[str]
    notes: list[str]


def choose_columns(
    path: Path,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    genes: Collection[str] = (),
    ignored: Collection[int] = (),
) -> ChosenColumns:
    """Choose the columns of names and of expression.

    A column that is no sample is known by its name, such as Length, or by its content, such as text.

    Parameters
    ----------
    path
        The file, for messages.
    header
        Names of the columns; empty if there are none.
    rows
        The first rows.
    genes
        Known gene names.
    ignored
        Columns that the format defines to be something else.

    Raises
    ------
    FileFormatError
        If no column has expression.
    """
    table = _Examined(list(header) or [""] * len(rows[0]), list(zip(*rows, strict=True)), frozenset(genes))
    are_genes = _are_genes(table.header, genes)
    names_of_rows = 0 if are_genes and not table.counts_rows(0) else table.find_row_names()
    gene_names = None if are_genes else table.find_gene_names(names_of_rows)
    others = [j for j in range(len(table.header)) if j not in {names_of_rows, gene_names, *ignored}]
    values = [j for j in others if not (table.is_text[j] or table.is_filler(j) or table.names[j] in _FACTS)]
    if not are_genes:
        values = [j for j in values if not table.is_known(j)]
        values = [j for j in values if not table.is_summary(j, values)]
    if not values:
        msg = (
            f"{path} has no column of expression. Besides names, it has the columns {table.shown(others)}. "
            "Expected a column of numbers for each sample, or for each gene."
        )
        raise FileFormatError(msg)
    notes = []
    if names_of_rows:
        notes.append(f"The names of the rows were read from column {table.shown([names_of_rows])}.")
    if left_out := [j for j in others if j not in values and not table.is_filler(j)]:
        notes.append(f"Columns that are not expression were left out: {table.shown(left_out)}.")
    if doubtful := [] if are_genes else table.doubtful(values):
        notes.append(
            f"These columns were read as samples, but may be something else: {table.shown(doubtful)}. If so, "
            "remove them from the table."
        )
    return ChosenColumns(names_of_rows, gene_names, values, [table.header[j] for j in values], notes)


@dataclass(frozen=True)
class _Examined:
    """The header of a table, the first fields of each column, and known gene names."""

    header: list[str]
    columns: list[tuple[str, ...]]
    genes: frozenset[str]

    @cached_property
    def names(self) -> list[str]:
        """The names of the columns, in lower case and without other characters than letters and digits."""
        return [re.sub(r"[^a-z0-9]", "", name.lower()) for name in self.header]

    @cached_property
    def is_text(self) -> list[bool]:
        return [not is_number_column(column) and any(map(_is_filled, column)) for column in self.columns]

    def is_filler(self, j: int) -> bool:
        """Whether a column has neither a name nor a value, or counts the rows."""
        if self.header[j] or not any(self.header):
            return False
        return not any(map(_is_filled, self.columns[j])) or self.counts_rows(j)

    def counts_rows(self, j: int) -> bool:
        """Whether a column without a proper name counts the rows, as pandas and R write it."""
        numbers = [field.strip() for field in self.columns[j]]
        return self.names[j] in _ROW_NUMBERS and any(
            numbers == [str(i) for i in range(first, first + len(numbers))] for first in (0, 1)
        )

    def is_known(self, j: int) -> bool:
        """Whether a column has a name that shows that it is no sample."""
        name = self.names[j]
        return (
            name in _NO_SAMPLES
            or _LENGTH.fullmatch(name) is not None
            or (name in _BESIDE_CHROMOSOME and not _CHROMOSOME.isdisjoint(self.names))
            or (name in _BESIDE_TEST and not _TEST.isdisjoint(self.names))
            or self._holds_ids(j)
        )

    def _holds_ids(self, j: int) -> bool:
        """Whether a column is named like an identifier, and has a different whole number in each row."""
        words = split_words(self.header[j])
        return (
            bool(words)
            and words[-1].lower() in {"id", "ids", "accession"}
            and self._is_whole(j)
            and len(set(self.columns[j])) > 0.9 * len(self.columns[j])
        )

    def _is_whole(self, j: int) -> bool:
        return all(_WHOLE.fullmatch(field.strip()) for field in self.columns[j] if _is_filled(field))

    def is_summary(self, j: int, values: list[int]) -> bool:
        """Whether a column is named like a sum or a mean, and is that of the other columns."""
        if self.names[j] not in _SUMMARIES:
            return False
        parts = [self._numbers(k) for k in values if self.names[k] not in _DOUBTFUL]
        own = self._numbers(j)
        return len(parts) > 1 and any(
            np.allclose(own, summarise(parts, axis=0), rtol=0.001, atol=_ROUNDED)
            for summarise in (np.sum, np.mean)
        )

    def _numbers(self, j: int) -> NDArray[np.float64]:
        """Return the numbers of a column, NaN where a field is written in another way."""
        return pd.to_numeric(pd.Series(self.columns[j], dtype=object), errors="coerce").to_numpy(np.float64)

    def doubtful(self, values: list[int]) -> list[int]:
        """Find samples with a strange name, and few columns of whole numbers among many of fractions."""
        if len(values) == 1:
            return []
        whole = [j for j in values if self._is_whole(j) and len(set(self.columns[j])) > _SHOWN]
        if len(whole) > len(values) / 4 or len(self.columns[0]) < _ENOUGH_ROWS:
            whole = []
        return [j for j in values if self.names[j] in _DOUBTFUL or j in whole]

    def find_row_names(self) -> int:
        """Find the names of the rows: the first column, unless it has no genes and another has."""
        texts = [j for j in range(1, len(self.header)) if self.is_text[j]]
        genes = [j for j in texts if self._matches(j, _ENSEMBL_GENE) or self._has_known_genes(j)]
        genes += [j for j in texts if self.names[j] in {*_SYMBOLS, *_GENE_IDS}]
        if self.is_text[0]:
            return genes[0] if genes and self._has_no_genes(0) else 0
        if self._is_whole(0) and self._is_distinct(0) and not self.counts_rows(0):
            return 0
        return next(iter([*genes, *filter(self._is_distinct, texts)]), 0)

    def find_gene_names(self, names_of_rows: int) -> int | None:
        """Find second names of genes: symbols, or Ensembl ids."""
        texts = [j for j, is_text in enumerate(self.is_text) if is_text and j != names_of_rows]
        texts = [j for j in texts if not self._has_no_genes(j)]
        named = {self.names[j]: j for j in reversed(texts)}
        if "description" in named and self._matches(named["description"], _SEVERAL_WORDS):
            del named["description"]
        symbols = [named[name] for name in (*_SYMBOLS, "description") if name in named]
        others = [j for j in texts if self._has_known_genes(j) or self._matches(j, _ENSEMBL_GENE)]
        return next(iter([*symbols, *others]), None)

    def _has_known_genes(self, j: int) -> bool:
        """Whether a column of text has known gene names; a reference may have few of those of the table."""
        return sum(field.strip() in self.genes for field in self.columns[j]) > len(self.columns[j]) / 10

    def _is_distinct(self, j: int) -> bool:
        return len(set(self.columns[j])) == len(self.columns[j])

    def _has_no_genes(self, j: int) -> bool:
        return any(self._matches(j, pattern) for pattern in NOT_GENES.values())

    def _matches(self, j: int, pattern: re.Pattern[str]) -> bool:
        """Whether most fields of a column match a pattern."""
        fields = [field.strip() for field in self.columns[j] if _is_filled(field)]
        return bool(fields) and 2 * sum(bool(pattern.fullmatch(field)) for field in fields) > len(fields)

    def shown(self, columns: Sequence[int]) -> str:
        """List columns for a message."""
        names = [f"'{self.header[j]}'" if self.header[j] else f"number {j + 1}" for j in columns]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ", ".join(names[:_SHOWN]) + more


def _is_filled(field: str) -> bool:
    return field.strip().lower() not in MISSING


def _are_genes(header: Sequence[str], genes: Collection[str]) -> bool:
    """Whether the names of the columns are those of genes."""
    names = pd.Index(list(header[1:]), dtype=object).astype(str)
    return count_housekeeping(names) > 2 or (len(names) > 2 and float(names.isin(list(genes)).mean()) > 0.5)
