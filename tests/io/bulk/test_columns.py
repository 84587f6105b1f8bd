"""Columns that are no samples: left out by name or content, and always said."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import FileFormatError, InputError
from hpvade._warnings import DataWarning
from hpvade.io import read_bulk

N = 60
SEVERAL_NOTES = pytest.mark.filterwarnings("ignore::hpvade._warnings.DataWarning")
SYMBOLS = ["ACTB", "CD3E", "GAPDH", "CD19", *(f"G{i}" for i in range(N - 4))]
ENSEMBL = [f"ENSG{i:011d}.{i % 9}" for i in range(N)]


@pytest.fixture
def table():
    values = np.random.default_rng(0).gamma(0.5, 900, (N, 4))
    return pd.DataFrame(values, index=SYMBOLS, columns=["s1", "s2", "s3", "s4"])


@pytest.fixture
def counts(table):
    return table.round().astype(int)


def check(bulk, expected):
    pd.testing.assert_frame_equal(bulk.to_df().T, expected.astype(float), check_names=False)


ANNOTATION = {
    "Length": np.arange(N) + 500,
    "EffectiveLength": np.arange(N) + 400.5,
    "Gene length (bp)": np.arange(N) + 500,
    "Entrez_Gene_Id": np.arange(N) * 7 + 1,
    "entrezgene_id": np.arange(N) * 7 + 1,
    "NCBI gene ID": np.arange(N) * 7 + 1,
    "probe.id": np.arange(N) + 7_000_000,
    "gene_biotype": "protein_coding",
    "description": "actin beta [Source:HGNC Symbol;Acc:132]",
    "Chr": np.arange(N) % 22 + 1,
    "chromosome_name": "X",
    "strand": np.where(np.arange(N) % 2, 1, -1),
    "percentage_gene_gc_content": 45.25,
    "log2FoldChange": np.linspace(-3, 3, N),
    "padj": 0.5,
    "remark": "a note",
}


@pytest.mark.parametrize("name", ANNOTATION)
@pytest.mark.parametrize("position", ["first", "middle", "last"])
def test_annotation_of_genes_is_left_out_and_named(text_file, table, name, position):
    wide = table.copy()
    wide.insert({"first": 0, "middle": 2, "last": 4}[position], name, ANNOTATION[name])
    path = text_file(wide.to_csv(sep="\t", index_label="gene"))
    with pytest.warns(DataWarning) as caught:
        check(read_bulk(path), table)
    (note,) = (str(warning.message) for warning in caught)
    assert f"Columns that are not expression were left out: '{name}'." in note


def test_start_and_end_are_places_beside_a_chromosome_only(text_file, counts):
    with_places = counts.copy()
    for name in ("end", "start"):
        with_places.insert(0, name, np.random.default_rng(1).permutation(N) * 7)
    alone = text_file(with_places.to_csv(index_label="gene"), "alone.csv")
    with pytest.warns(DataWarning, match="may be something else: 'start', 'end'. If so, remove them"):
        check(read_bulk(alone), with_places)
    with_places.insert(0, "chr", "chr1")
    beside = text_file(with_places.to_csv(index_label="gene"), "beside.csv")
    with pytest.warns(DataWarning, match="left out: 'chr', 'start', 'end'"):
        check(read_bulk(beside), counts)


@pytest.mark.parametrize("name", ["Mean", "total", "n_probes"])
def test_doubtful_columns_are_read_and_said(text_file, table, name):
    wide = table.assign(**{name: np.arange(N) * 3 % 50})
    with pytest.warns(DataWarning, match=f"read as samples, but may be something else: '{name}'"):
        check(read_bulk(text_file(wide.to_csv(index_label="gene"))), wide)


def test_genes_in_columns_may_be_named_like_annotation(text_file, table):
    turned = table.rename(index={"G0": "MAX", "G1": "GC", "G2": "T"}).T
    check(read_bulk(text_file(turned.to_csv(index_label="sample"))), turned.T)


def test_facts_about_samples_in_rows(text_file, table):
    turned = table.T.copy()
    turned.insert(0, "group", list("abab"))
    turned.insert(1, "age", [40, 50, 60, 70])
    with pytest.warns(DataWarning, match="left out: 'group', 'age'"):
        check(read_bulk(text_file(turned.to_csv(index_label="sample"))), table)


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize("first", [0, 1])
def test_row_numbers_of_pandas_and_r(text_file, counts, quoting, first):
    numbered = counts.reset_index(names="symbol")
    numbered.index += first
    with pytest.warns(DataWarning, match="names of the rows were read from column 'symbol'"):
        check(read_bulk(text_file(numbered.to_csv(quoting=quoting))), counts)


def test_names_in_the_last_column(text_file, counts):
    last = counts.assign(gene_name=counts.index)
    with pytest.warns(DataWarning, match="names of the rows were read from column 'gene_name'"):
        check(read_bulk(text_file(last.to_csv(index=False))), counts)


@pytest.mark.parametrize("heading", ["symbol", "Gene Name", "hgnc_symbol", "Description", "whatever"])
def test_symbols_beside_ensembl_ids(text_file, table, heading):
    wide = table.set_axis(ENSEMBL)
    wide.insert(0, heading, SYMBOLS)
    bulk = read_bulk(text_file(wide.to_csv(sep="\t", index_label="id")), genes=SYMBOLS[:20])
    check(bulk, table.set_axis(ENSEMBL))
    assert list(bulk.var["gene_name"]) == SYMBOLS


COMPOUND = {
    "{ensembl}|{symbol}": True,
    "{ensembl}_{symbol}": True,
    "{symbol};{ensembl}": True,
    "ENST00000000001.2|{ensembl}|OTTHUMG1.1|OTTHUMT1|{symbol}-201|{symbol}|900|protein_coding|": True,
    "{symbol}|{number}": False,
}


@pytest.mark.parametrize("pattern", COMPOUND)
@pytest.mark.parametrize("turned", [True, False])
def test_two_names_in_one(text_file, table, pattern, turned):
    names = zip(ENSEMBL, SYMBOLS, strict=True)
    compound = table.set_axis(
        [pattern.format(ensembl=e, symbol=s, number=i + 1) for i, (e, s) in enumerate(names)]
    )
    with pytest.warns(DataWarning, match="were split; that gene is"):
        bulk = read_bulk(text_file((compound.T if turned else compound).to_csv(index_label="id")))
    has_both = COMPOUND[pattern]
    check(bulk, table.set_axis(ENSEMBL if has_both else SYMBOLS))
    assert list(bulk.var.get("gene_name", [])) == (SYMBOLS if has_both else [])


@pytest.mark.parametrize(
    "names",
    [["p|1", "p|2", "q|1", "q|2"], ["full_length", "3prime", "chrX", "<b>"], ["<html>", "{", "[x]", "!"]],
)
def test_samples_with_unusual_names_stay(text_file, table, names):
    named = table.set_axis(names, axis=1)
    for heading in ("gene", ""):
        check(read_bulk(text_file(named.to_csv(sep="\t", index_label=heading))), named)


@SEVERAL_NOTES
@pytest.mark.parametrize("probe", ["{}_s_at", "ILMN_{}", "A_23_P{}", "ENST{:011d}.3", "NM_{:06d}"])
def test_probes_and_transcripts_give_way_to_genes(text_file, table, probe):
    wide = table.set_axis([probe.format(200_000 + i) for i in range(N)])
    wide.insert(0, "Gene Symbol", SYMBOLS)
    with pytest.warns(DataWarning, match="names of the rows were read from column 'Gene Symbol'"):
        check(read_bulk(text_file(wide.to_csv(sep="\t", index_label="ID_REF"))), table)


def test_probes_without_genes_are_said(text_file, table):
    with pytest.warns(
        DataWarning, match=r"probes of a microarray, such as '0_at', not of genes\. Add a column"
    ):
        read_bulk(text_file(table.set_axis([f"{i}_at" for i in range(N)]).to_csv(index_label="ID_REF")))


@pytest.mark.parametrize("transcript", ["ENST{:011d}.3", "ENSMUST{:011d}", "NM_{:06d}.2"])
def test_transcripts_without_genes_are_refused(text_file, table, transcript):
    names = [transcript.format(i) for i in range(N)]
    with pytest.raises(FileFormatError, match=r"has transcripts such as .* Sum them by gene with tximport"):
        read_bulk(text_file(table.set_axis(names).to_csv(index_label="id")))


@pytest.mark.parametrize("trailing", ["everywhere", "below the header"])
def test_separators_at_the_end_of_lines(text_file, table, trailing):
    header, *rows = table.to_csv(sep="\t", index_label="gene").splitlines()
    rows = [f"{row}\t" for row in rows]
    lines = [f"{header}\t" if trailing == "everywhere" else header, *rows]
    check(read_bulk(text_file("\n".join(lines) + "\n")), table)


@SEVERAL_NOTES
@pytest.mark.parametrize("pattern", ["{quantity}.{sample}", "{sample}_{quantity}", "{sample} - {quantity}"])
@pytest.mark.parametrize(
    ("unit", "quantity", "factor"),
    [("auto", "abundance", 1), ("tpm", "TPM", 1), ("counts", "counts", 3), ("fpkm", "FPKM", 2)],
)
def test_several_quantities_of_each_sample(text_file, table, pattern, unit, quantity, factor):
    names = {1: "TPM" if quantity == "TPM" else "abundance", 2: "FPKM", 3: "counts", 0: "length"}
    wide = pd.DataFrame(
        {
            pattern.format(quantity=name, sample=sample): table[sample] * factor_ + (factor_ == 0) * 7.5
            for sample in table
            for factor_, name in names.items()
        }
    ).assign(countsFromAbundance="no")
    with pytest.warns(DataWarning, match="several quantities of each sample"):
        bulk = read_bulk(text_file(wide.to_csv(index_label="gene")), unit=unit)
    check(bulk, table * factor)
    assert bulk.uns["hpvade"]["format"] == "tximport"


def test_a_quantity_that_is_missing_is_refused(text_file, table):
    wide = pd.concat([table.add_prefix("TPM."), table.add_prefix("counts.")], axis=1)
    with pytest.raises(
        InputError, match=r"has TPM and counts, but not the unit 'fpkm'.*--bulk-unit tpm or counts"
    ):
        read_bulk(text_file(wide.to_csv(index_label="gene")), unit="fpkm")


def test_a_table_of_text(text_file):
    with pytest.raises(
        FileFormatError, match=r"no column of expression. Besides names, it has the columns 'group'"
    ):
        read_bulk(text_file("sample,group\ns1,a\ns2,b\n"))


def test_a_sample_without_a_name(text_file, table):
    with pytest.raises(
        InputError, match=r"1 sample has no name, the first at position 3. Give each sample a name"
    ):
        read_bulk(text_file(table.rename(columns={"s3": ""}).to_csv(index_label="gene")))


def test_names_with_line_breaks_and_long_names(text_file, table):
    strange = table.set_axis(["a\nb", "x" * 200, 'with "quotes"', "tab\tand, comma"], axis=1)
    strange = strange.rename(index={"G3": "gene\nname"})
    check(read_bulk(text_file(strange.to_csv(index_label="gene"))), strange)


@pytest.mark.parametrize("dates", [["1-Mar", "2-Sep"], ["Mar-01", "Sep-02"], ["2025-03-01", "2025-09-02"]])
def test_genes_that_excel_turned_into_dates(text_file, table, dates):
    wide = table.rename(index={"G5": dates[0], "G6": dates[1]})
    with pytest.warns(
        DataWarning, match=f"2 gene names are dates, for instance '{dates[0]}'. Excel turns genes"
    ):
        check(read_bulk(text_file(wide.to_csv(index_label="gene"))), wide)


def test_genes_named_like_months_are_no_dates(text_file, table):
    wide = table.rename(index={"G5": "SEPT2", "G6": "MARCH1", "G7": "DEC1", "G8": "OCT4"})
    check(read_bulk(text_file(wide.to_csv(index_label="gene"))), wide)


@pytest.mark.parametrize(("name", "make"), [("mean", np.mean), ("Total", np.sum), ("row_sum", np.sum)])
def test_sums_and_means_of_the_samples_are_left_out(tmp_path, name, make):
    rng = np.random.default_rng(0)
    counts = pd.DataFrame(rng.poisson(200, (40, 3)), index=[f"G{i}" for i in range(40)], columns=list("abc"))
    counts.assign(**{name: make(counts.to_numpy(), axis=1)}).to_csv(tmp_path / "table.csv")
    with pytest.warns(DataWarning, match=f"not expression were left out: '{name}'"):
        assert list(read_bulk(tmp_path / "table.csv", genes=counts.index).obs_names) == list("abc")
    counts.assign(**{name: counts["b"] + 5}).to_csv(tmp_path / "table.csv")
    with pytest.warns(DataWarning, match=f"may be something else: '{name}'"):
        assert list(read_bulk(tmp_path / "table.csv", genes=counts.index).obs_names) == [*"abc", name]
