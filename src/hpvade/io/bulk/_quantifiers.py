"""Output of programs that quantify genes: one file a sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ._columns import choose_columns
from ._delimited import read_chosen, read_table
from ._sample_names import sample_name
from ._source import dense_table, is_tally
from ._tables import read_columns

if TYPE_CHECKING:
    from hpvade._types import BulkUnit

    from ._head import Head
    from ._source import BulkSource, Table

_STAR_COLUMNS: Final = ("2 (both strands)", "3 (forward strand)", "4 (reverse strand)")
_STRANDED = 0.8  # share of reads on one strand from which a library is stranded


@dataclass(frozen=True)
class Quantities:
    """The columns of a program that writes several quantities of each gene.

    Attributes
    ----------
    units
        The column of each unit; the first is read unless the user states another.
    required
        Further columns that show the program.
    ignored
        Columns that are neither names of genes nor a unit.
    """

    units: dict[BulkUnit, str]
    required: frozenset[str]
    ignored: frozenset[str]

    def recognises(self, head: Head) -> bool:
        """Whether a header has all columns."""
        return {*self.units.values(), *self.required} <= set(head.header)

    def read(self, source: BulkSource) -> Table:
        """Read one quantity of the sample in a file; a gene may have several rows.

        Raises
        ------
        InputError
            If the file does not have the unit that the user stated.
        """
        head = source.head
        unit = source.choose_unit(list(self.units))
        wanted = head.header.index(self.units[unit])
        quantities = {*self.units.values(), *self.ignored}
        ignored = [j for j, name in enumerate(head.header) if name in quantities and j != wanted]
        chosen = choose_columns(source.path, head.header, head.rows, genes=source.genes, ignored=ignored)
        chosen = replace(chosen, values=[wanted], names=[sample_name(source.path)])
        return read_chosen(source.text, head, chosen, unit=unit, orientation="genes x samples")


QUANTIFIERS: Final = {
    "rsem": Quantities(
        {"tpm": "TPM", "counts": "expected_count", "fpkm": "FPKM"},
        required=frozenset({"gene_id"}),
        ignored=frozenset({"transcript_id(s)", "length", "effective_length", "IsoPct"}),
    ),
    "salmon": Quantities(
        {"tpm": "TPM", "counts": "NumReads"},
        required=frozenset({"Name", "EffectiveLength"}),
        ignored=frozenset({"Length", "EffectiveLength"}),
    ),
    "kallisto": Quantities(
        {"tpm": "tpm", "counts": "est_counts"},
        required=frozenset({"target_id", "eff_length"}),
        ignored=frozenset({"length", "eff_length"}),
    ),
    "gdc": Quantities(
        {"tpm": "tpm_unstranded", "counts": "unstranded", "fpkm": "fpkm_unstranded"},
        required=frozenset({"gene_id", "gene_name"}),
        ignored=frozenset({"gene_type", "stranded_first", "stranded_second", "fpkm_uq_unstranded"}),
    ),
    "stringtie": Quantities(
        {"tpm": "TPM", "fpkm": "FPKM"},
        required=frozenset({"Gene ID", "Gene Name", "Coverage"}),
        ignored=frozenset({"Reference", "Strand", "Start", "End", "Coverage"}),
    ),
    "cufflinks": Quantities(
        {"fpkm": "FPKM"},
        required=frozenset({"tracking_id", "gene_short_name", "FPKM_status"}),
        ignored=frozenset(
            {"class_code", "nearest_ref_id", "gene_id", "tss_id", "locus", "length", "coverage"}
            | {"FPKM_conf_lo", "FPKM_conf_hi", "FPKM_status"}
        ),
    ),
}


# STAR


def is_star(source: BulkSource) -> bool:
    """Whether a table without a header has four columns, the first rows named N_unmapped and the like."""
    if not source.is_text or source.head.header or source.head.width != 4:
        return False
    named = any(row[0] == "N_unmapped" for row in source.head.rows)
    return named or "ReadsPerGene.out.tab" in source.path.name


def read_star(source: BulkSource) -> Table:
    """Read the counts of one strand if most reads are there, otherwise those of both."""
    name = sample_name(source.path)
    read = read_columns(source.text, source.head, texts=[0], numbers=[1, 2, 3], names=[name] * 3)
    _, first, second = read.numbers[~is_tally(read.numbers.index)].sum()
    stranded = max(first, second) >= _STRANDED * (first + second)
    at = (1 if first > second else 2) if stranded else 0
    note = f"Column {_STAR_COLUMNS[at]} was read, because " + (
        "most reads are on that strand." if stranded else "reads are on both strands."
    )
    return dense_table(
        read.numbers.iloc[:, [at]], unit="counts", orientation="genes x samples", notes=(note,)
    )


# HTSeq


def is_htseq(head: Head) -> bool:
    """Whether a table without a header has one column of counts behind the names of the genes."""
    if head.header or head.width > 3:
        return False
    return all(row[-1].strip().isdigit() for row in head.rows)


def read_htseq(source: BulkSource) -> Table:
    """Read the counts of one sample."""
    return read_table(source.text, source.head, genes=source.genes, orientation="genes x samples")
