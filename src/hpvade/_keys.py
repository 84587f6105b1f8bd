"""Names of the AnnData slots that hpvade reads and writes; no other module spells them out."""

from __future__ import annotations

from typing import Final

COUNTS: Final = "counts"  # layers: raw counts, cells × genes
CPM: Final = "cpm"  # layers: expression of a type in a sample, CPM
CELL_TYPE: Final = "cell_type"  # obs: the default label column
SPLIT: Final = "split"  # obs: "train" or "heldout"
SELECTED: Final = "selected"  # var: whether the model reads the gene
TRUST: Final = "trust"  # var: trust of the model in a gene, 0 to 1
TOTAL_COUNTS: Final = "total_counts"  # obs: counts of a cell over all genes of the reference
REFERENCE: Final = "hpvade_reference"  # obs: the reference of a cell, where several were combined
SOURCE: Final = "hpvade_source"  # obs: reference and donor of a cell, where several references were combined
SUMS: Final = "hpvade_sums"  # varm: counts of all cells, summed by label, where obs is a pool
N_CELLS: Final = "n_cells_of_labels"  # uns["hpvade"]: number of cells of each label, pooled or not
NOTES: Final = "notes"  # uns["hpvade"]: what was decided when a file was read
CONTENT_GIVEN: Final = "rna_content_given"  # uns["hpvade"]: whether the user gave the RNA content
PUBLISHED_CONTENT: Final = "published_content"  # uns["hpvade"]: type → kind of cell with a published value
CORRECTED: Final = "corrected_counts"  # uns["hpvade"]: whether the counts need not be whole numbers
RNA_WEIGHT: Final = "hpvade_rna_weight"  # obs: factor that gives a cell the RNA content of its type

FRACTIONS: Final = "fractions"  # obsm: cell fractions p, samples × cell types, rows sum to 1
LOWER: Final = "fractions_lower"  # obsm: lower bounds of the intervals of the cell fractions
UPPER: Final = "fractions_upper"  # obsm: upper bounds
RNA_FRACTIONS: Final = "rna_fractions"  # obsm: RNA fractions r, samples × cell types, rows sum to 1
RECONSTRUCTION_R: Final = "reconstruction_r"  # obs: Pearson r of S·r with the sample, log space

UNKNOWN: Final = "unknown"  # obs: share of cells whose type is not in the reference

ALL_TYPES: Final = "all types"  # a column or a value for all cell types together

UNS: Final = "hpvade"  # uns: settings and provenance

TRAIN: Final = "train"
HELDOUT: Final = "heldout"
