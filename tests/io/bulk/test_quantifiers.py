"""Output of programs that write one file a sample: single files, and folders of them."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import FileFormatError, InputError
from hpvade._warnings import DataWarning
from hpvade.io import read_bulk

N = 40
GENES = ["ACTB", "CD3E", "GAPDH", "LYZ", *(f"G{i}" for i in range(N - 4))]
ENSEMBL = [f"ENSG{i:011d}.{i % 9}" for i in range(N)]
TRANSCRIPTS = [f"ENST{i:011d}.1" for i in range(2 * N)]
TALLIES = ("__no_feature", "__ambiguous", "__too_low_aQual", "__not_aligned", "__alignment_not_unique")
SAMPLES = ["HD30_day0", "HD30_day1", "HD31_day0"]
IGNORE_NOTES = pytest.mark.filterwarnings("ignore::hpvade._warnings.DataWarning")

rng = np.random.default_rng(0)
TPM = pd.DataFrame(rng.gamma(0.5, 900, (N, 3)).round(3) + 0.5, GENES, SAMPLES)
COUNTS = (TPM * 3).round().astype(int)


# What each program writes for a sample


def tsv(columns, header=True):
    return pd.DataFrame(columns).to_csv(sep="\t", index=False, header=header)


def rsem(s):
    return tsv(
        {
            "gene_id": GENES, "transcript_id(s)": "t1,t2", "length": 900.5, "effective_length": 750.25,
            "expected_count": COUNTS[s].to_numpy(), "TPM": TPM[s].to_numpy(), "FPKM": TPM[s].to_numpy() / 2,
        }
    )  # fmt: skip


def salmon(s):
    columns = {"Name": GENES, "Length": 900, "EffectiveLength": 750.25}
    return tsv(columns | {"TPM": TPM[s].to_numpy(), "NumReads": COUNTS[s].to_numpy()})


def kallisto(s):
    columns = {"target_id": GENES, "length": 900, "eff_length": 750.25}
    return tsv(columns | {"est_counts": COUNTS[s].to_numpy(), "tpm": TPM[s].to_numpy()})


def gdc(s):
    text = tsv(
        {
            "gene_id": ENSEMBL, "gene_name": GENES, "gene_type": "protein_coding",
            "unstranded": COUNTS[s].to_numpy(), "stranded_first": 1, "stranded_second": 2,
            "tpm_unstranded": TPM[s].to_numpy(), "fpkm_unstranded": TPM[s].to_numpy() / 2,
            "fpkm_uq_unstranded": TPM[s].to_numpy() / 3,
        }
    )  # fmt: skip
    header, rows = text.split("\n", 1)
    tallies = "".join(
        f"N_{name}\t\t\t5\t6\t7\t\t\t\n" for name in ("unmapped", "multimapping", "noFeature", "ambiguous")
    )
    return f"# gene-model: GENCODE v36\n{header}\n{tallies}{rows}"


def stringtie(s):
    return tsv(
        {
            "Gene ID": ENSEMBL, "Gene Name": GENES, "Reference": "chr1", "Strand": "+", "Start": 5, "End": 9,
            "Coverage": 1.5, "FPKM": TPM[s].to_numpy() / 2, "TPM": TPM[s].to_numpy(),
        }
    )  # fmt: skip


def cufflinks(s):
    return tsv(
        {
            "tracking_id": ENSEMBL, "class_code": "-", "nearest_ref_id": "-", "gene_id": ENSEMBL,
            "gene_short_name": GENES, "tss_id": "-", "locus": "chr1:5-9", "length": "-", "coverage": "-",
            "FPKM": TPM[s].to_numpy() / 2, "FPKM_conf_lo": 1.5, "FPKM_conf_hi": 2.5, "FPKM_status": "OK",
        }
    )  # fmt: skip


def star(s, forward=0.02, reverse=0.98):
    counts = COUNTS[s].to_numpy()
    tallies = "N_unmapped\t9\t9\t9\nN_multimapping\t8\t8\t8\nN_noFeature\t7\t9999\t7\nN_ambiguous\t3\t2\t2\n"
    strands = [(counts * share).round().astype(int) for share in (forward, reverse)]
    return tallies + tsv([*zip(GENES, counts, *strands, strict=True)], header=False)


def htseq(s):
    return tsv({0: GENES, 1: COUNTS[s].to_numpy()}, header=False) + "".join(
        f"{name}\t99\n" for name in TALLIES
    )


def feature_counts(s):
    places = {"Geneid": GENES, "Chr": "1;1", "Start": "5;9", "End": "6;10", "Strand": "+;+", "Length": 9}
    return '# Program:featureCounts v2.0.1; Command:"x"\n' + tsv(
        places | {f"bam/{s}.bam": COUNTS[s].to_numpy()}
    )


PROGRAMS = {
    "rsem": (rsem, "{}.genes.results", TPM),
    "salmon": (salmon, "{}/quant.genes.sf", TPM),
    "salmon, flat": (salmon, "{}_quant.genes.sf", TPM),
    "salmon, compressed": (salmon, "{}/quant.genes.sf.gz", TPM),
    "kallisto": (kallisto, "{}/abundance.tsv", TPM),
    "kallisto, genes": (kallisto, "{}/abundance.gene.tsv", TPM),
    "gdc": (gdc, "uuid-{0}/{0}.rna_seq.augmented_star_gene_counts.tsv", TPM),
    "stringtie": (stringtie, "{}/gene_abund.tab", TPM),
    "cufflinks": (cufflinks, "{}/genes.fpkm_tracking", TPM / 2),
    "star": (star, "{}ReadsPerGene.out.tab", (COUNTS * 0.98).round()),
    "star, folders": (star, "{}/ReadsPerGene.out.tab.gz", (COUNTS * 0.98).round()),
    "htseq": (htseq, "{}.htseq.counts.txt", COUNTS),
    "htseq, compressed": (htseq, "GSM1_{}.txt.gz", COUNTS.add_prefix("GSM1_")),
    "featureCounts": (feature_counts, "{}.featureCounts.txt", COUNTS),
}


@pytest.fixture
def write(tmp_path):
    def write_file(text, name):
        path = tmp_path / "samples" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write_file


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "samples"


def check(bulk, expected):
    frame = bulk.to_df().T
    if "gene_name" in bulk.var:
        frame.index = list(bulk.var["gene_name"])
    pd.testing.assert_frame_equal(frame, expected.astype(float), check_names=False)


@IGNORE_NOTES
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_file_and_a_folder(write, folder, program):
    make, name, expected = PROGRAMS[program]
    for sample in SAMPLES:
        path = write(make(sample), name.format(sample))
        for other in ("run_info.json", "logs.txt.summary", "README.md", ".hidden.tsv"):
            write("{}", f"{sample}/{other}" if "/" in name else other)
    bulk = read_bulk(folder)
    check(bulk, expected)
    assert bulk.uns["hpvade"]["format"] == program.partition(",")[0]
    one = read_bulk(path)
    check(one, expected.iloc[:, [2]])
    assert one.uns["hpvade"]["format"] == program.partition(",")[0]


@IGNORE_NOTES
@pytest.mark.parametrize(
    ("program", "unit", "expected"),
    [
        ("rsem", "counts", COUNTS), ("rsem", "fpkm", TPM / 2), ("rsem", "tpm", TPM),
        ("salmon", "counts", COUNTS), ("kallisto", "counts", COUNTS), ("gdc", "counts", COUNTS),
        ("gdc", "fpkm", TPM / 2), ("stringtie", "fpkm", TPM / 2),
    ],
)  # fmt: skip
def test_another_quantity(write, folder, program, unit, expected):
    make, name, _ = PROGRAMS[program]
    for sample in SAMPLES:
        write(make(sample), name.format(sample))
    bulk = read_bulk(folder, unit=unit)
    check(bulk, expected)
    assert bulk.uns["hpvade"]["unit"] == unit


@pytest.mark.parametrize(("program", "has"), [("salmon", "TPM and counts"), ("cufflinks", "FPKM")])
def test_a_quantity_that_the_program_does_not_write(write, program, has):
    make, name, _ = PROGRAMS[program]
    with pytest.raises(InputError, match=f"has {has}, but not the unit 'cpm' that was given"):
        read_bulk(write(make(SAMPLES[0]), name.format(SAMPLES[0])), unit="cpm")


@pytest.mark.parametrize(
    ("shares", "column", "taken"),
    [
        ((0.97, 0.03), r"3 \(forward strand\).*most reads are on that strand", 0.97),
        ((0.1, 0.9), r"4 \(reverse strand\).*most reads are on that strand", 0.9),
        ((0.5, 0.48), r"2 \(both strands\).*reads are on both strands", 1),
    ],
)
def test_the_strand_of_star_is_said(write, shares, column, taken):
    path = write(star(SAMPLES[0], *shares), "S1ReadsPerGene.out.tab")
    with pytest.warns(DataWarning, match=f"Column {column}"):
        bulk = read_bulk(path)
    np.testing.assert_array_equal(bulk.X[0], (COUNTS[SAMPLES[0]] * taken).round())


def test_notes_on_some_files_of_a_folder_are_said_once(write, folder):
    for sample, shares in zip(SAMPLES, [(0.02, 0.98), (0.02, 0.98), (0.5, 0.5)], strict=True):
        write(star(sample, *shares), f"{sample}ReadsPerGene.out.tab")
    with pytest.warns(DataWarning) as caught:
        read_bulk(folder)
    said = [str(warning.message) for warning in caught]
    assert len(said) == 2
    assert "most reads are on that strand. (2 of 3 files)" in said[0]
    assert "reads are on both strands. (1 of 3 files)" in said[1]


def test_reads_outside_genes_in_a_merged_table(text_file):
    rows = "".join(f"{name}\t9\t9\t9\n" for name in (*TALLIES, "no_feature", "N_unmapped"))
    check(read_bulk(text_file(COUNTS.to_csv(sep="\t", index_label="gene") + rows)), COUNTS)
    turned = COUNTS.T.assign(**dict.fromkeys(TALLIES, 5))
    check(read_bulk(text_file(turned.to_csv(index_label="sample"))), COUNTS)


def test_a_table_without_genes(write):
    with pytest.raises(FileFormatError, match="has no expression: 0 rows and 1 columns"):
        read_bulk(write("N_unmapped\t9\t9\t9\nN_noFeature\t7\t9\t7\n", "S1ReadsPerGene.out.tab"))


# Transcripts


def test_transcripts_are_refused(write):
    text = tsv({"Name": TRANSCRIPTS, "Length": 900, "EffectiveLength": 750.25, "TPM": 1.5, "NumReads": 3})
    with pytest.raises(
        FileFormatError, match=r"transcripts such as 'ENST00000000000.1' instead of genes.*tximport"
    ):
        read_bulk(write(text, "S1/quant.sf"))


@IGNORE_NOTES
@pytest.mark.parametrize("column", ["gene_id", "gene_name", "ext_gene", "GENEID"])
def test_transcripts_with_a_column_of_genes_are_summed(write, column):
    parts = np.concatenate([TPM[SAMPLES[0]] * 0.25, TPM[SAMPLES[0]] * 0.75])
    columns = {"target_id": TRANSCRIPTS, column: GENES * 2, "length": 900, "eff_length": 750.25}
    path = write(tsv(columns | {"est_counts": 3, "tpm": parts}), "S1/abundance.tsv")
    check(read_bulk(path, genes=GENES), TPM[[SAMPLES[0]]].set_axis(["S1"], axis=1))


@IGNORE_NOTES
def test_transcripts_of_gencode_name_their_genes(write):
    names = [
        f"{transcript}|{gene}|OTTHUMG1|OTTHUMT1|{symbol}-201|{symbol}|900|protein_coding|"
        for transcript, gene, symbol in zip(TRANSCRIPTS, ENSEMBL * 2, GENES * 2, strict=True)
    ]
    parts = np.concatenate([TPM[SAMPLES[0]] * 0.25, TPM[SAMPLES[0]] * 0.75])
    columns = {"Name": names, "Length": 900, "EffectiveLength": 750.25, "TPM": parts, "NumReads": 3}
    bulk = read_bulk(write(tsv(columns), "S1/quant.sf"))
    check(bulk, TPM[[SAMPLES[0]]].set_axis(["S1"], axis=1))
    assert list(bulk.var_names) == ENSEMBL


def test_genes_come_before_transcripts_in_a_folder(write, folder):
    for sample in SAMPLES:
        write(salmon(sample), f"{sample}/quant.genes.sf")
        write("Name\tLength\tEffectiveLength\tTPM\tNumReads\nENST1.1\t5\t4.5\t1.5\t1\n", f"{sample}/quant.sf")
    check(read_bulk(folder), TPM)


# Folders


@IGNORE_NOTES
def test_tables_of_one_sample_with_a_header(write, folder):
    for sample in SAMPLES:
        write(COUNTS[[sample]].set_axis(["count"], axis=1).to_csv(index_label="gene"), f"{sample}_counts.csv")
    check(read_bulk(folder), COUNTS)


def test_headers_that_differ_name_the_samples(write, folder):
    for i, sample in enumerate(SAMPLES):
        write(COUNTS[[sample]].to_csv(sep="\t", index_label="gene"), f"GSM{i}.tsv")
    check(read_bulk(folder), COUNTS)


def test_tables_of_several_samples(write, folder):
    write(COUNTS.iloc[:, :2].to_csv(index_label="gene"), "a.csv")
    write(COUNTS.iloc[:, 2:].T.to_csv(index_label="sample"), "b.csv")
    check(read_bulk(folder), COUNTS)


def test_files_with_other_endings_are_said(write, folder):
    for sample in SAMPLES:
        write(COUNTS[[sample]].to_csv(index_label="gene"), f"{sample}.csv")
    for name in ("Shah_1.dat", "README.txt", "sha256sums.txt", "run.log", "plot.html"):
        write("gene,x\n", name)
    with pytest.warns(DataWarning, match=r"do not end like text tables were not read: Shah_1\.dat\."):
        check(read_bulk(folder), COUNTS)


def test_files_with_almost_the_same_genes_are_joined_by_name(write, folder):
    for i, sample in enumerate(SAMPLES):
        table = COUNTS[[sample]].drop(index=GENES[i * 2 : i * 2 + 2]).sample(frac=1, random_state=i)
        write(table.to_csv(index_label="gene"), f"{sample}.csv")
    with pytest.warns(
        DataWarning, match="list different genes. The 34 genes that all of them list were read"
    ):
        bulk = read_bulk(folder)
    pd.testing.assert_frame_equal(
        bulk.to_df().T.sort_index(),
        COUNTS.drop(index=GENES[:6]).astype(float).sort_index(),
        check_names=False,
    )


def test_files_with_other_genes_are_refused(write, folder):
    write(rsem(SAMPLES[0]), "a.genes.results")
    write(rsem(SAMPLES[1]).replace("\nG", "\nother"), "b.genes.results")
    with pytest.raises(
        FileFormatError, match=r"b\.genes\.results does not list the same genes as .*a\.genes.*3 of 40"
    ):
        read_bulk(folder)


def test_repeated_genes_need_the_same_list(write, folder):
    write("ACTB\t5\nACTB\t6\nCD3E\t7\n", "a.txt")
    write("ACTB\t5\nCD3E\t7\nACTB\t6\n", "b.txt")
    with pytest.raises(FileFormatError, match=r"list different genes, and a\.txt lists some more than once"):
        read_bulk(folder)


def test_files_of_different_programs(write, folder):
    write(salmon(SAMPLES[0]), "a.txt")
    write(htseq(SAMPLES[1]), "b.txt")
    with pytest.raises(FileFormatError, match=r"different formats: a\.txt \(salmon\) and b\.txt \(HTSeq\)"):
        read_bulk(folder)


@pytest.mark.parametrize(
    ("text", "found"), [("", "an empty file"), ("sample,fastq\na,b\n", "no column of expression")]
)
def test_a_file_that_is_no_sample_is_named(write, folder, text, found):
    write(htseq(SAMPLES[0]), "a.txt")
    write(text, "sheet.csv")
    with pytest.raises(
        FileFormatError, match=rf"sheet\.csv .*{found}.*not a sample, move it out of the folder"
    ):
        read_bulk(folder)


@pytest.mark.parametrize("names", [[], ["README.md", "S1.bam"]])
def test_a_folder_without_tables(write, folder, names):
    folder.mkdir()
    for name in names:
        write("x", name)
    with pytest.raises(FileFormatError, match=r"is a folder without tables of samples. Expected"):
        read_bulk(folder)
