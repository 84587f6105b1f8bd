"""Labels of blood cells → the lineage they name."""

from __future__ import annotations

import re

# Patterns of a label in lower case with spaces between its words.
_PATTERNS = {
    "B": r"\bb\b|\bb ?cells?\b",
    "basophil": r"basophil|granulocyte|\bmast",
    "dendritic": r"\b(as|c|m)?dcs?\d?\b|dendritic",
    "eosinophil": r"eosinophil|granulocyte",
    "monocyte": r"mono|macrophage",
    "neutrophil": r"neutrophil|granulocyte|\bpmn",
    "NK": r"\bnk ?(cells?|t)?\b|natural killer",
    "plasmacytoid": r"\bpdcs?\b|plasmacytoid",
    "T": (
        r"\bt\b|\bt ?cells?\b|\bnkt\b|\bcd[48](?!\d)|\btregs?\b|\btfh\b|\bth\d+\b|\bt(cm|em|n|rm|emra)\b"
        r"|\bmait\b|\bgdt\b|t ?helper|cytotoxic|(naive|memory|regulatory)t\b"
    ),
}
T = "T"  # the lineage that references divide into many types


def lineages(label: str) -> frozenset[str]:
    """Return the lineages of blood cells that a label names; none for other cells.

    Examples
    --------
    >>> sorted(lineages("CD14+ Mono")), sorted(lineages("T/NK")), sorted(lineages("Hepatocyte"))
    (['monocyte'], ['NK', 'T'], [])
    """
    words = re.sub(r"[^a-z0-9]+", " ", label.lower())
    found = {name for name, pattern in _PATTERNS.items() if re.search(pattern, words)}
    if "plasmacytoid" in found:
        found.discard("dendritic")
    return frozenset(found)
