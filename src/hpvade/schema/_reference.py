"""What must be true of a labelled reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade import _keys as keys
from hpvade._errors import CountsError, LabelError, absent_column
from hpvade._warnings import DataWarning
from hpvade.io import describe_if_no_counts, is_missing_label

from ._report import Problem, ValidationReport

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


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
        How many cells each type must have.
    """
    facts: dict[str, object] = {"n_cells": adata.n_obs, "n_genes": adata.n_vars}
    if of_labels := adata.uns.get(keys.UNS, {}).get(keys.N_CELLS):
        facts |= {"n_cells": sum(of_labels.values()), "n_cells_kept": adata.n_obs}
    report = ValidationReport(facts=facts) + _check_counts(adata)
    if labels_key in adata.obs:
        report += _check_labels(adata.obs[labels_key], labels_key=labels_key, min_cells=min_cells)
    else:
        report += _absent_column(adata.obs, option="labels_key", key=labels_key)
    if donor_key is None:
        return report + ValidationReport(facts={"donors": None})
    if donor_key in adata.obs:
        return report + _check_donors(adata.obs[donor_key], donor_key=donor_key)
    return report + _absent_column(adata.obs, option="donor_key", key=donor_key)


def _check_counts(adata: AnnData) -> ValidationReport:
    if keys.COUNTS not in adata.layers:
        msg = (
            f"The reference has no layers['{keys.COUNTS}']. Read it with hpvade.io.read_reference, "
            "or put its raw counts there."
        )
        return ValidationReport(errors=(Problem(CountsError, msg),))
    found = describe_if_no_counts(adata.layers[keys.COUNTS], cells=adata.obs_names, var=adata.var)
    if found:
        msg = (
            f"The reference's layers['{keys.COUNTS}'] does not hold raw counts: {found}. Counts are finite, "
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
    msg = f"{int(empty.sum())} cells have no counts at all ({_some(adata.obs_names[empty])}); drop them."
    return ValidationReport(warnings=(Problem(DataWarning, msg),), facts=facts)


def _check_labels(labels: pd.Series, *, labels_key: str, min_cells: int) -> ValidationReport:
    errors = []
    missing = is_missing_label(labels)
    if missing.any():
        msg = (
            f"{int(missing.sum())} of {len(labels)} cells have no label in obs['{labels_key}'] "
            f"({_some(labels.index[missing])}). Label or drop them; a --label-map with an empty cell_type "
            "drops a label."
        )
        errors.append(Problem(LabelError, msg))
    sizes = {
        str(name): int(n) for name, n in labels[~missing].astype(str).value_counts().sort_index().items()
    }
    if len(sizes) < 2:
        found = f"only one, '{next(iter(sizes))}'" if sizes else "none"
        msg = f"obs['{labels_key}'] must tell at least two cell types apart; it holds {found}."
        errors.append(Problem(LabelError, msg))
    small = {name: n for name, n in sizes.items() if n < min_cells}
    if small:
        told = ", ".join(f"'{name}' ({n})" for name, n in small.items())
        msg = (
            f"Cell types with fewer than {min_cells} cells: {told}. Merge or drop them with a --label-map, "
            "or lower --min-cells."
        )
        errors.append(Problem(LabelError, msg))
    return ValidationReport(errors=tuple(errors), facts={"cell_types": sizes})


def _check_donors(donors: pd.Series, *, donor_key: str) -> ValidationReport:
    missing = is_missing_label(donors)
    sizes = {
        str(name): int(n) for name, n in donors[~missing].astype(str).value_counts().sort_index().items()
    }
    warnings = []
    if missing.any():
        msg = f"{int(missing.sum())} cells have no donor in '{donor_key}' ({_some(donors.index[missing])})."
        warnings.append(Problem(DataWarning, msg))
    if len(sizes) < 2:
        msg = f"obs['{donor_key}'] names fewer than two donors: differences between donors cannot be learnt."
        warnings.append(Problem(DataWarning, msg))
    return ValidationReport(warnings=tuple(warnings), facts={"donors": sizes})


def _absent_column(obs: pd.DataFrame, *, option: str, key: str) -> ValidationReport:
    msg = absent_column(key, obs, option=option, place="reference.obs")
    return ValidationReport(errors=(Problem(LabelError, msg),))


def _some(names: pd.Index) -> str:
    """Return the first three names, and an ellipsis if there are more."""
    return ", ".join(f"'{name}'" for name in names[:3]) + (", …" if len(names) > 3 else "")
