"""The files of an output folder: their names, and what is in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FRACTIONS: Final = "fractions.tsv"
LOWER: Final = "fractions_lower.tsv"
UPPER: Final = "fractions_upper.tsv"
RNA_FRACTIONS: Final = "rna_fractions.tsv"
QC: Final = "qc.tsv"
UNKNOWN_PROFILES: Final = "unknown_profiles.tsv.gz"
REPORT: Final = "report.html"
SIGNATURE: Final = "signature.tsv.gz"
HISTORY: Final = "history.csv"
RUN: Final = "run.json"
MODEL: Final = "model"
GROUPS: Final = "groups.tsv"
GROUP_TESTS: Final = "group_tests.tsv"
MULTIQC_FRACTIONS: Final = "hpvade_fractions_mqc.json"
MULTIQC_QUALITY: Final = "hpvade_quality_mqc.json"
TRUTH: Final = "truth.tsv"
ACCURACY: Final = "accuracy.tsv"

# Everything that hpvade writes into an output folder, the most important first.
OUTPUT_FILES: Final[Mapping[str, str]] = {
    REPORT: "Report as a single file that works offline",
    FRACTIONS: "Cell fractions, samples × cell types and unknown cells; rows sum to 1",
    LOWER: "Lower bounds of the intervals of the cell fractions",
    UPPER: "Upper bounds of the intervals of the cell fractions",
    RNA_FRACTIONS: "RNA fractions, samples × cell types and unknown cells; rows sum to 1",
    QC: "Quality of each sample: fit, unknown content, flags",
    UNKNOWN_PROFILES: "Expression of what the unknown cells resemble, CPM",
    GROUPS: "Group of each sample",
    GROUP_TESTS: "Comparison of the groups, cell type by cell type",
    MULTIQC_FRACTIONS: "Cell fractions for MultiQC",
    MULTIQC_QUALITY: "Sample quality for MultiQC",
    SIGNATURE: "Expression of each gene in each cell type, CPM",
    MODEL: "Trained model, for hpvade deconvolve",
    HISTORY: "Losses of each training epoch",
    RUN: "Versions, seed, checksums and decisions of the run",
    TRUTH: "True cell fractions of the simulated demo samples",
    ACCURACY: "Accuracy on the demo samples, compared with other methods",
}


def level_file(level: str, side: str = "") -> str:
    """Name the file with the fractions of a level above the cell types, or with their bounds.

    >>> level_file("level_1"), level_file("level_1", "lower")
    ('fractions_level_1.tsv', 'fractions_level_1_lower.tsv')
    """
    return f"fractions_{level}{f'_{side}' if side else ''}.tsv"


def own_files(names: Collection[str]) -> set[str]:
    """Return those of some file names that hpvade writes into an output folder.

    Fractions of a level are recognised by their bounds, which lie beside them.
    """
    own = set(names) & set(OUTPUT_FILES)
    for name in names:
        if found := re.fullmatch(r"fractions_(.+)\.tsv", name):
            level = {level_file(found[1], side) for side in ("", "lower", "upper")}
            own |= level if level <= set(names) else set()
    return own
