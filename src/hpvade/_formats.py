"""The formats of inputs, as the help, the local page and ``docs/formats.md`` list them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is read.

    Attributes
    ----------
    name
        As ``uns["hpvade"]["format"]`` and ``run.json`` show it.
    title
        What it is called.
    endings
        Usual ends of file names, in lower case; a file is recognised by its content alone.
    made_by
        Which program writes it.
    content
        What is read from it.
    example
        A file or folder, for an example of a command.
    is_text
        Whether it may also be compressed, see `COMPRESSIONS`.
    """

    name: str
    title: str
    endings: tuple[str, ...]
    made_by: str
    content: str
    example: str
    is_text: bool = True


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A kind of file that is recognised, but not read.

    Attributes
    ----------
    title
        What it is, with an article.
    remedy
        What to do where a bulk table was expected.
    for_reference
        What to do where a reference was expected.
    """

    title: str
    remedy: str
    for_reference: str = "Give one of these: AnnData file, zarr store, MuData file, or 10x output."


COMPRESSIONS: Final = (".gz", ".bz2", ".xz", ".zip", ".zst")

# Of bulk tables. The first that recognises a file reads it, so plain text comes last.
BULK_FORMATS: Final = (
    Format(
        "h5ad",
        title="AnnData file",
        endings=(".h5ad",),
        made_by="AnnData, scanpy",
        content="X, or layers['counts'] if X was scaled; genes may be in var or in obs",
        example="bulk.h5ad",
        is_text=False,
    ),
    Format(
        "zarr",
        title="AnnData zarr store",
        endings=(".zarr", ".zarr.zip"),
        made_by="AnnData",
        content="X, from a folder or a zip file",
        example="bulk.zarr",
        is_text=False,
    ),
    Format(
        "excel",
        title="Excel workbook",
        endings=(".xlsx", ".xlsm"),
        made_by="Excel, LibreOffice",
        content="the first sheet with a table; needs pip install 'hp-vade[excel]'",
        example="counts.xlsx",
        is_text=False,
    ),
    Format(
        "parquet",
        title="Parquet file",
        endings=(".parquet",),
        made_by="pandas, polars, arrow",
        content="all columns of numbers; needs pip install 'hp-vade[parquet]'",
        example="bulk.parquet",
        is_text=False,
    ),
    Format(
        "series matrix",
        title="GEO series matrix",
        endings=(".txt",),
        made_by="GEO",
        content="the table of values; samples keep their GSM numbers",
        example="GSE65133_series_matrix.txt.gz",
    ),
    Format(
        "gct",
        title="GCT",
        endings=(".gct",),
        made_by="GenePattern, GTEx",
        content="all samples of version 1.2",
        example="gene_tpm.gct.gz",
    ),
    Format(
        "featureCounts",
        title="featureCounts",
        endings=(".txt",),
        made_by="featureCounts (Subread)",
        content="counts of all samples, named after their BAM files",
        example="counts.txt",
    ),
    Format(
        "gdc",
        title="TCGA (GDC)",
        endings=(".tsv",),
        made_by="Genomic Data Commons",
        content="TPM, or counts or FPKM with --bulk-unit; one file or a folder of samples",
        example="gdc_download/",
    ),
    Format(
        "nf-core",
        title="nf-core/rnaseq",
        endings=(".tsv",),
        made_by="nf-core/rnaseq",
        content="a merged gene table of salmon: TPM or counts",
        example="salmon.merged.gene_tpm.tsv",
    ),
    Format(
        "rsem",
        title="RSEM",
        endings=(".genes.results", ".isoforms.results"),
        made_by="RSEM",
        content="TPM, or counts or FPKM with --bulk-unit; one file or a folder of samples",
        example="sample1.genes.results",
    ),
    Format(
        "salmon",
        title="salmon",
        endings=(".sf",),
        made_by="salmon, sailfish",
        content="TPM of genes, or counts with --bulk-unit counts; one file or a folder of samples",
        example="quants/",
    ),
    Format(
        "kallisto",
        title="kallisto",
        endings=(".tsv",),
        made_by="kallisto",
        content="TPM of genes, or counts with --bulk-unit counts; one file or a folder of samples",
        example="abundance.gene.tsv",
    ),
    Format(
        "stringtie",
        title="StringTie",
        endings=(".tab", ".tsv"),
        made_by="stringtie -A",
        content="TPM, or FPKM with --bulk-unit fpkm; one file or a folder of samples",
        example="gene_abund.tab",
    ),
    Format(
        "cufflinks",
        title="Cufflinks",
        endings=(".fpkm_tracking",),
        made_by="cufflinks",
        content="FPKM; one file or a folder of samples",
        example="genes.fpkm_tracking",
    ),
    Format(
        "star",
        title="STAR",
        endings=(".tab",),
        made_by="STAR --quantMode GeneCounts",
        content="counts of the strand that has most reads; one file or a folder of samples",
        example="star/",
    ),
    Format(
        "htseq",
        title="HTSeq",
        endings=(".txt", ".tsv", ".counts", ".count"),
        made_by="htseq-count",
        content="counts of a table without a header; one file or a folder of samples",
        example="htseq/",
    ),
    Format(
        "tximport",
        title="tximport",
        endings=(".csv", ".tsv", ".txt"),
        made_by="tximport and others with several quantities a sample, such as S1_TPM and S1_counts",
        content="abundance (TPM), or counts or FPKM with --bulk-unit",
        example="tximport.csv",
    ),
    Format(
        "tsv",
        title="TSV",
        endings=(".tsv", ".txt", ".tab"),
        made_by="any program",
        content="genes × samples or samples × genes, separated by tabs; one file or a folder of samples",
        example="bulk.tsv.gz",
    ),
    Format(
        "csv",
        title="CSV",
        endings=(".csv",),
        made_by="any program",
        content="the same, separated by commas or semicolons",
        example="bulk.csv",
    ),
    Format(
        "text",
        title="text",
        endings=(".txt",),
        made_by="any program",
        content="the same, separated by white space",
        example="bulk.txt",
    ),
)

REFERENCE_FORMATS: Final = (
    Format(
        "h5ad",
        title="AnnData file",
        endings=(".h5ad",),
        made_by="AnnData, scanpy",
        content="raw counts in layers, X or raw; cell types and donors in obs",
        example="reference.h5ad",
        is_text=False,
    ),
    Format(
        "zarr",
        title="AnnData zarr store",
        endings=(".zarr", ".zarr.zip"),
        made_by="AnnData",
        content="the same, from a folder or a zip file",
        example="reference.zarr",
        is_text=False,
    ),
    Format(
        "h5mu",
        title="MuData file",
        endings=(".h5mu",),
        made_by="muon, scverse",
        content="the same, of the modality of gene expression",
        example="reference.h5mu",
        is_text=False,
    ),
    Format(
        "10x h5",
        title="10x HDF5 file",
        endings=(".h5",),
        made_by="Cell Ranger",
        content="gene expression; cell types in a table of labels",
        example="filtered_feature_bc_matrix.h5",
        is_text=False,
    ),
    Format(
        "10x folder",
        title="10x folder",
        endings=(),
        made_by="Cell Ranger",
        content="matrix.mtx, barcodes.tsv and features.tsv; cell types in a table of labels",
        example="filtered_feature_bc_matrix/",
        is_text=False,
    ),
)

_FROM_R = "Convert it to h5ad in R, for instance with zellkonverter, anndataR or sceasy."
_FROM_LOOM = "Convert it: scanpy.read_loom('file.loom').write_h5ad('file.h5ad')."
_FROM_SPATIAL = "Write its table: sdata.tables['table'].write_h5ad('table.h5ad')."
_READ = "It is read."
_AGAIN = "Download or export it again."
_FROM_TABLE = "In Python, make it an AnnData with the cell types in obs, and save that with write_h5ad."
_SUM_CELLS = "Sum the cells of each sample to a table with one column a sample, or give it as the reference."

# Files that are recognised, so that a message can name them. The key is what `hpvade.io` finds.
UNREADABLE: Final = {
    "empty": Unreadable("an empty file", _AGAIN, for_reference=_AGAIN),
    "mudata": Unreadable(
        "a MuData file (several modalities)",
        "Write the RNA alone: mdata['rna'].write_h5ad('bulk.h5ad').",
        for_reference=_READ,
    ),
    "spatialdata": Unreadable("a SpatialData store", _FROM_SPATIAL, for_reference=_FROM_SPATIAL),
    "loom": Unreadable("a loom file", _FROM_LOOM, for_reference=_FROM_LOOM),
    "tenx h5": Unreadable("a 10x HDF5 file of single cells", _SUM_CELLS, for_reference=_READ),
    "tenx folder": Unreadable("a 10x folder of single cells", _SUM_CELLS, for_reference=_READ),
    "molecules": Unreadable(
        "a 10x list of molecules (molecule_info.h5)",
        _SUM_CELLS,
        for_reference="Give filtered_feature_bc_matrix.h5 of the same run.",
    ),
    "soma": Unreadable(
        "a TileDB-SOMA experiment",
        "Write it with tiledbsoma.io.to_anndata(…).write_h5ad('file.h5ad').",
        for_reference="Write it with tiledbsoma.io.to_anndata(…).write_h5ad('file.h5ad').",
    ),
    "h5seurat": Unreadable(
        "an h5Seurat file", "Export a table in R: write.csv(matrix, 'bulk.csv').", for_reference=_FROM_R
    ),
    "kallisto h5": Unreadable("the HDF5 output of kallisto", "Give the abundance.tsv that is next to it."),
    "archs4": Unreadable("an ARCHS4 file", "Extract the samples with archs4py, and write them as a table."),
    "hdf5": Unreadable(
        "an HDF5 file that AnnData did not write (it has no obs and var)",
        "Write it with AnnData (.h5ad), or export a table.",
    ),
    "rds": Unreadable(
        "an R object (RDS)",
        "Export a table in R: write.csv(as.matrix(readRDS('file.rds')), 'bulk.csv').",
        for_reference=_FROM_R,
    ),
    "qs": Unreadable(
        "an R object (qs)",
        "Export a table in R: write.csv(as.matrix(qs::qread('file.qs')), 'bulk.csv').",
        for_reference=_FROM_R,
    ),
    "rdata": Unreadable(
        "an R workspace (RData)",
        "Load it in R, and export a table: write.csv(matrix, 'bulk.csv').",
        for_reference=_FROM_R,
    ),
    "xls": Unreadable("a binary Excel or Word file", "Save it as .xlsx or CSV."),
    "document": Unreadable("an office document", "Save the table as .xlsx or CSV."),
    "pdf": Unreadable("a PDF document", "Export the table as text, or ask the authors for it."),
    "html": Unreadable(
        "a web page (HTML), for instance a log-in page or an error page of a server",
        "Open the address in a browser, and download the file again.",
        for_reference="Open the address in a browser, and download the file again.",
    ),
    "xml": Unreadable("an XML file", "Export the table as text; from Excel, save it as .xlsx or CSV."),
    "json": Unreadable("a JSON file", "Export the table as TSV or CSV."),
    "soft": Unreadable(
        "a GEO SOFT file", "Download the series matrix, or the supplementary table of the series."
    ),
    "mtx": Unreadable(
        "a Matrix Market file, which has no names of genes and samples",
        "Export a table with both names.",
        for_reference="Give its folder, which must also hold barcodes.tsv and features.tsv or genes.tsv.",
    ),
    "arrow": Unreadable(
        "an Arrow or Feather file", "Write it as Parquet: DataFrame.to_parquet('bulk.parquet')."
    ),
    "numpy": Unreadable(
        "a NumPy file, which has no names of genes and samples", "Export a table with both names."
    ),
    "pickle": Unreadable(
        "a Python pickle, which can contain a program",
        "Export the table as TSV, CSV or Parquet.",
        for_reference="In Python, save it with write_h5ad.",
    ),
    "reads": Unreadable(
        "a file of sequencing reads or sequences", "Quantify genes first, e.g. with nf-core/rnaseq."
    ),
    "annotation": Unreadable("a gene annotation (GTF or GFF)", "Give the table of expression."),
    "cel": Unreadable(
        "a CEL file of a microarray", "Normalise the arrays (e.g. RMA), and export a table of genes."
    ),
    "picture": Unreadable("a picture", "Give the table of expression."),
    "archive": Unreadable(
        "an archive of files",
        "Unpack it, and give one table or the folder.",
        for_reference="Unpack it, and give the file or the folder in it.",
    ),
    "lfs": Unreadable(
        "a pointer of Git LFS",
        "Run git lfs pull to download the file itself.",
        for_reference="Run git lfs pull to download the file itself.",
    ),
}

# Kinds of files that are tables, where a reference was expected.
TABLES: Final = {
    "text": Unreadable("a text file", "", for_reference=_FROM_TABLE),
    "excel": Unreadable("an Excel workbook", "", for_reference=_FROM_TABLE),
    "parquet": Unreadable("a Parquet file", "", for_reference=_FROM_TABLE),
}


def endings(formats: Iterable[Format]) -> tuple[str, ...]:
    """Return the ends of the names of files in some formats, those of compressed text included."""
    found: dict[str, None] = {}  # in order, each once
    for known in formats:
        packed = ("", *COMPRESSIONS) if known.is_text else ("",)
        found |= dict.fromkeys(f"{ending}{more}" for ending in known.endings for more in packed)
    return tuple(found)


def titles(formats: Iterable[Format]) -> str:
    """List the formats in a sentence."""
    names = [known.title for known in formats]
    return f"{', '.join(names[:-1])} or {names[-1]}"
