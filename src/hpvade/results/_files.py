"""The files of an output folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_OWN_FILES = {
    "run.json", "history.csv", "model", "signature.tsv.gz", "fractions.tsv", "fractions_lower.tsv",
    "fractions_upper.tsv", "rna_fractions.tsv", "qc.tsv", "truth.tsv", "accuracy.tsv",
    "report.html", "groups.tsv", "group_tests.tsv", "hpvade_fractions_mqc.json", "hpvade_quality_mqc.json",
}  # fmt: skip


def own_files(names: AbstractSet[str]) -> set[str]:
    """Return which of these names of an output folder are files that hpvade writes.

    The fractions of a level of a hierarchy count only together with both their bounds.
    """
    own = _OWN_FILES & names
    for name in names:
        level = {name, *(name.replace(".tsv", f"_{side}.tsv") for side in ("lower", "upper"))}
        if re.fullmatch(r"fractions_.+\.tsv", name) and level <= names:
            own |= level
    return own
