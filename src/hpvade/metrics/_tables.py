"""Estimated fractions against measured ones: per cell type, per sample, pooled, in brief."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpvade._errors import InputError
from hpvade._warnings import DataWarning, DegenerateMetricWarning, warn
from hpvade.metrics._align import align
from hpvade.metrics._bootstrap import METRICS, agreement, bootstrap_bounds
from hpvade.metrics._functions import centred, mae_last_axis, pearson_last_axis, rmse_last_axis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpvade.metrics._align import Columns

_LARGEST_SUM = 1.5  # fractions of a sample sum to 1, or to less if types are left out


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well estimated cell fractions agree with the truth.

    Attributes
    ----------
    per_type
        Index: cell type. Columns ``r``, ``ccc``, ``rmse``, ``mae``, ``bias`` over samples, and for each
        ``<name>_lower`` and ``<name>_upper``, the 95 % percentile bootstrap over samples.
    per_sample
        Index: sample. Columns ``r``, ``rmse``, ``mae`` over cell types.
    pooled
        The names of ``per_type`` over all sample × type pairs.
    summary
        ``n_samples``, ``n_types``; ``r_type`` and ``ccc_type``, the means over types without NaN;
        ``skipped_types``, type → why a metric of it is NaN.
    """

    per_type: pd.DataFrame
    per_sample: pd.DataFrame
    pooled: dict[str, float]
    summary: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return all values as JSON-able dictionaries: tables as row → column → value, NaN as None."""
        return {
            "summary": {name: _json_value(value) for name, value in self.summary.items()},
            "pooled": {name: _json_value(value) for name, value in self.pooled.items()},
            "per_type": _json_rows(self.per_type),
            "per_sample": _json_rows(self.per_sample),
        }


def evaluate(
    fractions: pd.DataFrame,
    truth: pd.DataFrame,
    *,
    mapping: Columns | Mapping[str, Columns] | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Compare estimated cell fractions with the truth.

    Parameters
    ----------
    fractions
        Estimated cell fractions, samples × cell types. Samples without a truth are ignored.
    truth
        Measured cell fractions, samples × cell types, in any order of samples.
    mapping
        Coarse type → list of columns of ``fractions`` to sum; or ``{"estimate": …, "truth": …}`` with
        one such mapping for each side. The types in both tables after that are compared.
    n_bootstrap
        Number of resamples of samples for the bounds; 0 leaves them NaN.
    seed
        Seed of the resampling.

    Returns
    -------
    The tables; types and samples stand in the order of ``truth``. With a single sample all values per
    type and all bounds are NaN. One `DegenerateMetricWarning` names everything that is undefined.

    Raises
    ------
    InputError
        A truth sample has no estimate, the mapping names a missing column, no type is common, names are
        repeated, or values are missing or not numbers.
    """
    if n_bootstrap < 0:
        msg = f"n_bootstrap={n_bootstrap} is negative; give the number of resamples, or 0 for no bounds."
        raise InputError(msg)
    estimate, measured = align(fractions, truth, mapping=mapping)
    for name, table in (("estimate", estimate), ("truth", measured)):
        if table.sum(axis=1).median() > _LARGEST_SUM:
            msg = f"The {name} sums to more than 1 in most samples: is it in percent? Fractions are 0 to 1."
            warn(msg, DataWarning)
    by_name = np.argsort(measured.index.to_numpy())  # so that the bounds do not depend on the order
    e, t = estimate.to_numpy(), measured.to_numpy()
    point = agreement(e, t)
    bounds = bootstrap_bounds(e[by_name], t[by_name], n_bootstrap=n_bootstrap, seed=seed)
    per_type = pd.DataFrame(dict(zip(METRICS, point.per_type, strict=True)), index=measured.columns)
    pooled = {name: float(value) for name, value in zip(METRICS, point.pooled, strict=True)}
    for i, name in enumerate(METRICS):
        for side, suffix in enumerate(("lower", "upper")):
            per_type[f"{name}_{suffix}"] = bounds.per_type[i, :, side]
            pooled[f"{name}_{suffix}"] = float(bounds.pooled[i, side])
    per_type.index.name = "cell_type"
    per_sample = _per_sample(estimate, measured)
    skipped = _skipped_types(estimate, measured)
    _warn_undefined(skipped, per_sample, pooled)
    summary = {
        "n_samples": len(e),
        "n_types": len(per_type),
        "r_type": float(per_type["r"].mean()),
        "ccc_type": float(per_type["ccc"].mean()),
        "skipped_types": skipped,
    }
    return Evaluation(per_type=per_type, per_sample=per_sample, pooled=pooled, summary=summary)


def _per_sample(estimate: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Compare each sample over cell types."""
    e, t = estimate.to_numpy(), truth.to_numpy()
    columns = {"r": pearson_last_axis(e, t), "rmse": rmse_last_axis(e, t), "mae": mae_last_axis(e, t)}
    return pd.DataFrame(columns, index=truth.index.rename("sample"))


def _skipped_types(estimate: pd.DataFrame, truth: pd.DataFrame) -> dict[str, str]:
    """Name the types of which a metric is undefined, and why."""
    if len(truth) == 1:
        return dict.fromkeys(truth.columns, "one sample: nothing to compare over samples")
    skipped = {}
    for name in truth.columns:
        constant = [
            side
            for side, table in (("estimate", estimate), ("truth", truth))
            if not centred(table[name].to_numpy()).any()
        ]
        if constant:
            skipped[name] = f"zero variance in the {' and the '.join(constant)}"
    return skipped


def _warn_undefined(skipped: dict[str, str], per_sample: pd.DataFrame, pooled: dict[str, float]) -> None:
    """Say once what is NaN and why."""
    notes = []
    for reason in dict.fromkeys(skipped.values()):
        names = ", ".join(f"'{name}'" for name, why in skipped.items() if why == reason)
        notes.append(f"cell types {names} ({reason})")
    if n_flat := int(per_sample["r"].isna().sum()):
        notes.append(f"r of {n_flat} of {len(per_sample)} samples (zero variance over cell types)")
    if np.isnan(pooled["r"]):
        notes.append("the pooled r (zero variance over all pairs)")
    if notes:
        warn(
            f"Metrics are undefined, returned as NaN and skipped in means: {'; '.join(notes)}.",
            DegenerateMetricWarning,
            stacklevel=3,
        )


def _json_rows(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return row name → column → value."""
    rows = zip(table.index, table.to_numpy(), strict=True)
    return {str(row): dict(zip(table.columns, map(_json_value, values), strict=True)) for row, values in rows}


def _json_value(value: Any) -> Any:  # noqa: ANN401 - a number, text, or a dictionary
    """Return a plain Python value; NaN becomes None."""
    if isinstance(value, float):
        return None if np.isnan(value) else float(value)
    return value
