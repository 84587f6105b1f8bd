"""What must be true of bulk samples: linear expression, every sample usable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade import _keys as keys
from hpvade._errors import CountsError, InputError
from hpvade._warnings import DataWarning
from hpvade.io import detect_unit

from ._report import Problem, ValidationReport

if TYPE_CHECKING:
    from anndata import AnnData


def check_bulk(bulk: AnnData) -> ValidationReport:
    """Check bulk samples, and tell what `hpvade.io.read_bulk` found in their table; its notes are warnings.

    Parameters
    ----------
    bulk
        Samples × genes, linear; X dense or sparse.
    """
    told = bulk.uns.get(keys.UNS, {})
    facts: dict[str, object] = {"n_samples": bulk.n_obs, "n_bulk_genes": bulk.n_vars}
    facts |= {
        name: str(told.get(name, "unknown"))
        for name in ("unit", "unit_given_or_detected", "orientation", "format")
    }
    notes = tuple(Problem(DataWarning, str(note)) for note in told.get("notes", []))
    return ValidationReport(warnings=notes, facts=facts) + _check_values(bulk, unit_is_known="unit" in told)


def _check_values(bulk: AnnData, *, unit_is_known: bool) -> ValidationReport:
    if bulk.X is None or 0 in bulk.shape:
        msg = f"The bulk holds {bulk.n_obs} samples and {bulk.n_vars} genes; give samples by genes in its X."
        return ValidationReport(errors=(Problem(InputError, msg),))
    x = bulk.to_df().to_numpy()
    bad = ~np.isfinite(x) | (x < 0)
    if bad.any():
        sample, gene = np.argwhere(bad)[0]
        msg = (
            f"The value {x[sample, gene]:g} of sample '{bulk.obs_names[sample]}', gene "
            f"'{bulk.var_names[gene]}' cannot be expression ({int(bad.sum())} such values in all). "
            "Expression is linear, finite and not negative."
        )
        return ValidationReport(errors=(Problem(CountsError, msg),))
    empty = bulk.obs_names[(x == 0).all(1)]
    if len(empty):
        msg = f"Samples that are zero for every gene: {', '.join(map(repr, empty[:5]))}. Remove them."
        return ValidationReport(errors=(Problem(InputError, msg),))
    if not unit_is_known and detect_unit(x) == "log2":
        msg = (
            "The bulk looks logged: no whole numbers and nothing large. Linear expression is needed; "
            "hpvade.io.read_bulk undoes a logarithm, or undo it yourself."
        )
        return ValidationReport(warnings=(Problem(DataWarning, msg),))
    return ValidationReport()
