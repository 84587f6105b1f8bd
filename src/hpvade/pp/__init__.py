"""Preparation: spaces, genes, signature and RNA content, cell states, labels, and several references."""

from hpvade.pp._background import WHOLE_TRANSCRIPTOME, background, bulk_expression
from hpvade.pp._combine import combine_references
from hpvade.pp._config import PreprocessConfig
from hpvade.pp._genes import (
    gene_symbols,
    is_comparable,
    is_human,
    is_ribosomal_or_mitochondrial,
    model_genes,
)
from hpvade.pp._hierarchy import Hierarchy
from hpvade.pp._label_map import apply_label_map, label_map_levels, read_label_map
from hpvade.pp._pool import pool_reference, sum_by_group
from hpvade.pp._prepare import preprocess, split_cells
from hpvade.pp._rna_content import (
    apply_rna_content,
    cell_fractions,
    consensus_rna_content,
    read_rna_content,
    rna_fractions,
)
from hpvade.pp._signature import (
    ReferenceSignature,
    Signature,
    reference_signature,
    restrict_to_genes,
    signature,
)
from hpvade.pp._spaces import counts_to_cpm, counts_to_log, cpm_to_log, floored_log
from hpvade.pp._states import CellStates, cell_states

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
    "bulk_expression",
    "cell_fractions",
    "cell_states",
    "combine_references",
    "consensus_rna_content",
    "counts_to_cpm",
    "counts_to_log",
    "cpm_to_log",
    "floored_log",
    "gene_symbols",
    "is_comparable",
    "is_human",
    "is_ribosomal_or_mitochondrial",
    "label_map_levels",
    "model_genes",
    "pool_reference",
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
