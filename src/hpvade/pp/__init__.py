"""Preparation: the three spaces, genes, split, signature and RNA content."""

from hpvade.pp._aggregate import Signature, signature, sum_by_group
from hpvade.pp._combine import apply_label_map, combine_references, read_label_map
from hpvade.pp._config import PreprocessConfig
from hpvade.pp._content import cell_fractions, rna_fractions
from hpvade.pp._genes import is_ribosomal_or_mitochondrial, select_genes
from hpvade.pp._prepare import model_genes, prepared_signature, preprocess
from hpvade.pp._spaces import counts_to_cpm, counts_to_log, cpm_to_log
from hpvade.pp._split import split_cells

__all__ = [
    "PreprocessConfig",
    "Signature",
    "apply_label_map",
    "cell_fractions",
    "combine_references",
    "counts_to_cpm",
    "counts_to_log",
    "cpm_to_log",
    "is_ribosomal_or_mitochondrial",
    "model_genes",
    "prepared_signature",
    "preprocess",
    "read_label_map",
    "rna_fractions",
    "select_genes",
    "signature",
    "split_cells",
    "sum_by_group",
]
