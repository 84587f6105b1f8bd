"""Checks of bulk samples: linear expression, every sample usable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade import _keys as keys
from hpvade._errors import InputError
from hpvade._warnings import DataWarning
from hpvade.io import bulk_problems, detect_unit

from ._report import Problem, ValidationReport

if TYPE_CHECKING:
    from anndata import AnnData


def check_bulk(bulk: AnnData) -> ValidationReport:
    """Check bulk samples by the rules of `hpvade.io.bulk_problems`.

    The facts are those that `hpvade.io.read_bulk` recorded; its notes are warnings.

    Parameters
    ----------
    bulk
        Samples × genes, linear; X dense or sparse.
    """
    recorded = bulk.uns.get(keys.UNS, {})
    facts: dict[str, object] = {"n_samples": bulk.n_obs, "n_bulk_genes": bulk.n_vars}
    facts |= {
        name: str(recorded.get(name, "unknown"))
        for name in ("unit", "unit_given_or_detected", "orientation", "format")
    }
    warnings = [str(note) for note in recorded.get("notes", [])]
    if bulk.X is None or 0 in bulk.shape:
        msg = f"The bulk has {bulk.n_obs} samples and {bulk.n_vars} genes. Store samples by genes in X."
        errors = [InputError(msg)]
    else:
        values = bulk.to_df()
        errors = bulk_problems(values)
        if not errors and "unit" not in recorded and detect_unit(values.to_numpy()) == "log":
            warnings.append(
                "The bulk looks log-transformed: small values that are not whole numbers. Linear expression "
                "is needed. Read the table with hpvade.io.read_bulk, or undo the logarithm yourself."
            )
    return ValidationReport(
        errors=tuple(Problem(type(error), str(error)) for error in errors),
        warnings=tuple(Problem(DataWarning, warning) for warning in warnings),
        facts=facts,
    )
