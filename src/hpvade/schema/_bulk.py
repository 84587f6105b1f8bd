"""What a bulk table holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade import _keys as keys
from hpvade._warnings import DataWarning

from ._report import Problem, ValidationReport

if TYPE_CHECKING:
    from anndata import AnnData


def check_bulk(bulk: AnnData) -> ValidationReport:
    """Tell what `hpvade.io.read_bulk` found in a bulk table; its notes are warnings.

    Parameters
    ----------
    bulk
        Samples × genes, linear.
    """
    told = bulk.uns.get(keys.UNS, {})
    facts: dict[str, object] = {"n_samples": bulk.n_obs, "n_bulk_genes": bulk.n_vars}
    facts |= {
        name: str(told.get(name, "unknown"))
        for name in ("unit", "unit_given_or_detected", "orientation", "format")
    }
    notes = tuple(Problem(DataWarning, str(note)) for note in told.get("notes", []))
    return ValidationReport(warnings=notes, facts=facts)
