"""Preparation: the three spaces, genes, split, signature and RNA content."""

from hpvade.pp._aggregate import Signature, signature, sum_by_group
from hpvade.pp._background import WHOLE_TRANSCRIPTOME, background, expression_of
from hpvade.pp._combine import combine_references
from hpvade.pp._config import PreprocessConfig
from hpvade.pp._content import cell_fractions, consensus_rna_content, restrict_to_genes, rna_fractions
from hpvade.pp._genes import gene_trust, is_ribosomal_or_mitochondrial
from hpvade.pp._hierarchy import Hierarchy, hierarchy_of
from hpvade.pp._label_map import apply_label_map, levels_of_label_map, read_label_map
from hpvade.pp._pool import pool_reference
from hpvade.pp._prepare import model_genes, preprocess, reference_signature
from hpvade.pp._reference_signature import ReferenceSignature
from hpvade.pp._rna_table import apply_rna_content, read_rna_content
from hpvade.pp._spaces import counts_to_cpm, counts_to_log, cpm_to_log
from hpvade.pp._split import split_cells
from hpvade.pp._states import CellStates, prepared_states

__all__ = [
    "WHOLE_TRANSCRIPTOME",
    "CellStates",
    "Hierarchy",
    "PreprocessConfig",
    "ReferenceSignature",
    "Signature",
    "apply_label_map",
    "apply_rna_content",
    "background",
    "cell_fractions",
    "combine_references",
    "consensus_rna_content",
    "counts_to_cpm",
    "counts_to_log",
    "cpm_to_log",
    "expression_of",
    "gene_trust",
    "hierarchy_of",
    "is_ribosomal_or_mitochondrial",
    "levels_of_label_map",
    "model_genes",
    "pool_reference",
    "prepared_states",
    "preprocess",
    "read_label_map",
    "read_rna_content",
    "reference_signature",
    "restrict_to_genes",
    "rna_fractions",
    "signature",
    "split_cells",
    "sum_by_group",
]
