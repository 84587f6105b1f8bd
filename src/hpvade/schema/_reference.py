"""Checks of a labelled reference: labels, donors, counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from hpvade import _keys as keys
from hpvade._errors import CountsError, LabelError, absent_column
from hpvade._warnings import DataWarning
from hpvade.io import describe_non_counts, is_missing_label

from ._report import Problem, ValidationReport

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# Labels of cells that were not identified, or are not single cells.
_NO_TYPE = re.compile(
    r"\b(doublets?|multiplets?|unassigned|unannotated|unknown|unidentified|unclassified|undetermined|"
    r"undefined|ambiguous|low[ -]?q(uality|c)?|debris|art[ei]facts?|contaminat\w*|dead|dying|"
    r"empty( droplets?)?|filtered|excluded|failed)\b",
    re.IGNORECASE,
)
_SHOWN = 5  # examples in a message


def check_reference(
    adata: AnnData, *, labels_key: str, donor_key: str | None = None, min_cells: int = 10
) -> ValidationReport:
    """Check a reference's labels, donors and counts.

    Parameters
    ----------
    adata
        Cells × genes, as `hpvade.io.read_reference` returns it: counts in ``layers["counts"]``.
    labels_key
        Column of ``obs`` with the cell types.
    donor_key
        Column of ``obs`` with the donors, if there is one.
    min_cells
        Minimum cells per type.
    """
    report = check_counts(adata)
    if labels_key in adata.obs:
        report += _check_labels(adata.obs[labels_key], labels_key=labels_key, min_cells=min_cells)
    else:
        report += _absent_column(adata.obs, option="labels_key", key=labels_key)
    if donor_key is None:
        return report + ValidationReport(facts={"donors": None})
    if donor_key in adata.obs:
        return report + _check_donors(adata.obs[donor_key], donor_key=donor_key)
    return report + _absent_column(adata.obs, option="donor_key", key=donor_key)


def check_counts(adata: AnnData) -> ValidationReport:
    """Check the counts of a reference, as `check_reference` does, without its labels."""
    recorded = adata.uns.get(keys.UNS, {})
    size: dict[str, object] = {"n_cells": adata.n_obs, "n_genes": adata.n_vars}
    if cells_per_label := recorded.get(keys.N_CELLS):
        size |= {"n_cells": sum(cells_per_label.values()), "n_cells_kept": adata.n_obs}
    return ValidationReport(facts=size) + _check_values(adata, corrected=bool(recorded.get(keys.CORRECTED)))


def _check_values(adata: AnnData, *, corrected: bool) -> ValidationReport:
    if keys.COUNTS not in adata.layers:
        msg = (
            f"The reference has no layers['{keys.COUNTS}']. Read it with hpvade.io.read_reference, "
            "or put its raw counts there."
        )
        return ValidationReport(errors=(Problem(CountsError, msg),))
    found = describe_non_counts(
        adata.layers[keys.COUNTS], cells=adata.obs_names, var=adata.var, corrected=corrected
    )
    if found:
        msg = (
            f"The reference's layers['{keys.COUNTS}'] contains no raw counts: {found}. Counts are finite, "
            "non-negative whole numbers."
        )
        return ValidationReport(errors=(Problem(CountsError, msg),))
    totals = np.asarray(adata.layers[keys.COUNTS].sum(axis=1)).ravel()
    facts: dict[str, object] = {
        "counts_found_in": str(adata.uns.get(keys.UNS, {}).get("counts_found_in", "unknown")),
        "median_counts_per_cell": float(np.median(totals)) if totals.size else 0.0,
    }
    empty = totals == 0
    if not empty.any():
        return ValidationReport(facts=facts)
    n_empty = int(empty.sum())
    msg = (
        f"{n_empty} {'cell has' if n_empty == 1 else 'cells have'} no counts at all "
        f"({_examples(adata.obs_names[empty])}). A cell without counts shows nothing about its type; leave "
        f"{'it' if n_empty == 1 else 'them'} out of the file."
    )
    return ValidationReport(warnings=(Problem(DataWarning, msg),), facts=facts)


def _check_labels(labels: pd.Series, *, labels_key: str, min_cells: int) -> ValidationReport:
    errors = []
    missing = is_missing_label(labels)
    if missing.any():
        msg = (
            f"{int(missing.sum())} of {len(labels)} cells have no label in obs['{labels_key}'] "
            f"({_examples(labels.index[missing])}). Label or remove them; an empty cell_type in a "
            "--label-map removes a label."
        )
        errors.append(Problem(LabelError, msg))
    sizes = {
        str(name): int(n) for name, n in labels[~missing].astype(str).value_counts().sort_index().items()
    }
    if len(sizes) < 2:
        found = f"only one, '{next(iter(sizes))}'" if sizes else "none"
        msg = (
            f"obs['{labels_key}'] must have at least two cell types, but has {found}. "
            "Choose another column with --labels-key."
        )
        errors.append(Problem(LabelError, msg))
    small = {name: n for name, n in sizes.items() if n < min_cells}
    if small:
        shown = ", ".join(f"'{name}' ({n})" for name, n in small.items())
        msg = (
            f"Cell types with fewer than {min_cells} cells: {shown}. Merge or remove them with a "
            "--label-map, or lower --min-cells."
        )
        errors.append(Problem(LabelError, msg))
    warnings = [
        *_similar_labels(sizes, labels_key=labels_key),
        *_labels_without_type(sizes, labels_key=labels_key),
    ]
    return ValidationReport(
        errors=tuple(errors),
        warnings=tuple(Problem(DataWarning, warning) for warning in warnings),
        facts={"cell_types": sizes},
    )


def _similar_labels(sizes: dict[str, int], *, labels_key: str) -> list[str]:
    """Warn of labels that only differ in spelling: they are probably one type."""
    spelling: dict[str, list[str]] = {}
    for name in sizes:
        spelling.setdefault(_without_spelling(name), []).append(name)
    groups = [names for names in spelling.values() if len(names) > 1]
    if not groups:
        return []
    shown = "; ".join(", ".join(f"'{name}' ({sizes[name]})" for name in names) for names in groups[:_SHOWN])
    return [
        f"Labels in obs['{labels_key}'] differ only in spelling, but count as different cell types: {shown}. "
        "To join them, give them one cell_type in a --label-map."
    ]


def _without_spelling(name: str) -> str:
    """Return a label without case, spaces, punctuation and plural; the signs of markers and numbers stay.

    >>> _without_spelling("T_Cells") == _without_spelling("T cell")
    True
    >>> _without_spelling("CD16- NK") == _without_spelling("CD16 NK")
    False
    """
    words = re.findall(r"[^\W_]+|\+|-(?!\w)", name.casefold())
    words = [word[:-1] if re.fullmatch(r"[^\W\d]{3,}s", word) else word for word in words]
    return re.sub(r"(?<!\d) | (?!\d)", "", " ".join(words))


def _labels_without_type(sizes: dict[str, int], *, labels_key: str) -> list[str]:
    """Warn of labels such as 'doublet', which would become a cell type."""
    found = {name: n for name, n in sizes.items() if _NO_TYPE.search(name.replace("_", " "))}
    if not found:
        return []
    shown = ", ".join(f"'{name}' ({n})" for name, n in list(found.items())[:_SHOWN])
    return [
        f"Labels in obs['{labels_key}'] do not look like cell types: {shown}. Each becomes a cell type with "
        "fractions of its own. To leave its cells out, give it an empty cell_type in a --label-map."
    ]


def _check_donors(donors: pd.Series, *, donor_key: str) -> ValidationReport:
    missing = is_missing_label(donors)
    sizes = {
        str(name): int(n) for name, n in donors[~missing].astype(str).value_counts().sort_index().items()
    }
    warnings = []
    if missing.any():
        msg = (
            f"{int(missing.sum())} of {len(donors)} cells have no donor in obs['{donor_key}'] "
            f"({_examples(donors.index[missing])})."
        )
        warnings.append(Problem(DataWarning, msg))
    if len(sizes) < 2:
        msg = f"obs['{donor_key}'] has fewer than two donors: differences between donors cannot be estimated."
        warnings.append(Problem(DataWarning, msg))
    return ValidationReport(warnings=tuple(warnings), facts={"donors": sizes})


def _absent_column(obs: pd.DataFrame, *, option: str, key: str) -> ValidationReport:
    msg = absent_column(key, obs, option=option, place="reference.obs")
    return ValidationReport(errors=(Problem(LabelError, msg),))


def _examples(names: pd.Index) -> str:
    """Return the first three names, with an ellipsis if there are more."""
    return ", ".join(f"'{name}'" for name in names[:3]) + (", …" if len(names) > 3 else "")
