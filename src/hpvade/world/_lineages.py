"""Labels of blood cells → the lineage they name."""

from __future__ import annotations

import re

# Patterns of a label in lower case with spaces between its words.
_PATTERNS = {
    "B": r"\bb\b|\bb ?cells?\b",
    "basophil": r"\bbaso(phils?|s)?\b|granulocyte|\bmast",
    "dendritic": r"\b(as|c|m|mo)?dcs?\d?\b|dendritic",
    "eosinophil": r"\beos(inophils?)?\b|granulocyte",
    "monocyte": r"\b\w{0,2}mono(s|cytes?)?\b|macrophage|\bmac(ro)?s?\b|\btams?\b|kupffer",
    "neutrophil": r"\bneut?s?\b|neutrophil|granulocyte|\bpmn",
    "NK": r"\bnk ?(cells?|t)?\b|natural killer",
    "plasmacytoid": r"\bpdcs?\b|plasmacytoid|\bdcs?\b|dendritic",
    "T": (
        r"(?<!non )(?<!not )\bt\b|(?<!non )\bt ?cells?\b|\bi?nkt\b|\btregs?\b|\btfh\b|\bth\d+\b"
        r"|\bt(cm|em|n|rm|emra)\b|\bmait\b|\bgdt\b|t ?helper|cytotoxic(?! ?(nk|natural))"
        r"|(naive|memory|regulatory)t\b"
    ),
}
_T_MARKERS = r"\bcd[348](?!\d)"  # which some other cells have too
# Kinds of dendritic cells by their short names, so that "dendritic" alone means all of them.
_SHORT = {
    "plasmacytoid dendritic": "plasmacytoid",
    "myeloid dendritic": "mdc",
    "conventional dendritic": "cdc",
}
B = "B"
T = "T"  # the lineage that references divide into many types


def lineages(label: str) -> frozenset[str]:
    """Return the lineages of blood cells that a label names; none for other cells.

    Examples
    --------
    >>> sorted(lineages("CD14+ Mono")), sorted(lineages("T/NK")), sorted(lineages("Hepatocyte"))
    (['monocyte'], ['NK', 'T'], [])
    """
    words = re.sub(r"[^a-z0-9]+", " ", label.lower())
    for name, short in _SHORT.items():
        words = words.replace(name, short)
    found = {name for name, pattern in _PATTERNS.items() if re.search(pattern, words)}
    if not found and re.search(_T_MARKERS, words):
        found = {T}
    return frozenset(found)
