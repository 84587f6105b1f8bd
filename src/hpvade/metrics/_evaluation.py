"""Estimated fractions against measured ones: per cell type, per sample and pooled, with bootstrap bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from hpvade._errors import InputError
from hpvade._random import child_rng
from hpvade._warnings import DataWarning, DegenerateMetricWarning, warn
from hpvade.metrics._align import align
from hpvade.metrics._functions import (
    bias_last_axis,
    ccc_last_axis,
    centred,
    mae_last_axis,
    pearson_last_axis,
    rmse_last_axis,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hpvade.metrics._align import Columns

METRICS = {
    "r": pearson_last_axis,
    "ccc": ccc_last_axis,
    "rmse": rmse_last_axis,
    "mae": mae_last_axis,
    "bias": bias_last_axis,
}
_MAX_SUM = 1.5  # fractions of a sample sum to 1, or to less if types are excluded
_BLOCK_VALUES = 2_000_000  # values of one array held at a time: 16 MB


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Agreement between estimated and true cell fractions.

    Attributes
    ----------
    per_type
        Index: cell type. Columns ``r``, ``ccc``, ``rmse``, ``mae``, ``bias`` over samples, and for each
        ``<name>_lower`` and ``<name>_upper``, the 95% percentile bootstrap over samples.
    per_sample
        Index: sample. Columns ``r``, ``rmse``, ``mae`` over cell types.
    pooled
        The same metrics over all sample × type pairs.
    summary
        ``n_samples``, ``n_types``; ``r_type`` and ``ccc_type``, the means over types, ignoring NaN;
        ``skipped_types``, type → why one of its metrics is NaN.
    """

    per_type: pd.DataFrame
    per_sample: pd.DataFrame
    pooled: dict[str, float]
    summary: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return all values as dictionaries for JSON: tables as row → column → value, NaN as None."""
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
        one such mapping for each side. Types present in both tables after that are compared.
    n_bootstrap
        Number of bootstrap resamples for the bounds; 0 leaves the bounds NaN.
    seed
        Seed of the resampling.

    Returns
    -------
    The tables; types and samples are in the order of ``truth``. With a single sample all metrics per
    type and all bounds are NaN. One `DegenerateMetricWarning` lists everything that is undefined.

    Raises
    ------
    InputError
        A truth sample has no estimate, the mapping contains a missing column, the tables share no type,
        names are repeated, or values are missing or not numeric.
    """
    if n_bootstrap < 0:
        msg = f"n_bootstrap={n_bootstrap} is negative. Give the number of resamples, or 0 for no bounds."
        raise InputError(msg)
    estimate, measured = align(fractions, truth, mapping=mapping)
    for name, table in (("estimate", estimate), ("truth", measured)):
        if table.sum(axis=1).median() > _MAX_SUM:
            msg = (
                f"The {name} sums to more than 1 in most samples. Fractions are between 0 and 1: divide "
                "percentages by 100."
            )
            warn(msg, DataWarning)
    by_name = np.argsort(measured.index.to_numpy())  # the bounds must not depend on the order of samples
    e, t = estimate.to_numpy(), measured.to_numpy()
    point = _agreement(e, t)
    bounds = _bootstrap_bounds(e[by_name], t[by_name], n_bootstrap=n_bootstrap, seed=seed)
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
    """Return the types with an undefined metric, and why."""
    if len(truth) == 1:
        return dict.fromkeys(truth.columns, "only one sample")
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
    """Warn once about all that is NaN, and why."""
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
            f"Some metrics are undefined, returned as NaN and excluded from means: {'; '.join(notes)}.",
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


class _Agreement(NamedTuple):
    """Metrics in the order of `METRICS`: per type (5, n_types, …) and pooled (5, …)."""

    per_type: NDArray[np.float64]
    pooled: NDArray[np.float64]


def _agreement(estimate: NDArray[np.float64], truth: NDArray[np.float64]) -> _Agreement:
    """Compare two arrays (..., n_samples, n_types).

    Parameters
    ----------
    estimate, truth
        Cell fractions. Leading axes, if any, are resamples.

    Returns
    -------
    ``per_type`` (5, ..., n_types) and ``pooled`` (5, ...), over all sample × type pairs. A metric of a
    single value is NaN: with one sample no metric per type is defined.
    """
    *_, n_samples, n_types = estimate.shape
    by_type = np.swapaxes(estimate, -1, -2), np.swapaxes(truth, -1, -2)
    flat = (*estimate.shape[:-2], n_samples * n_types)
    pairs = estimate.reshape(flat), truth.reshape(flat)
    per_type = np.stack([metric(*by_type) for metric in METRICS.values()])
    pooled = np.stack([metric(*pairs) for metric in METRICS.values()])
    return _Agreement(
        per_type if n_samples > 1 else np.full_like(per_type, np.nan),
        pooled if n_samples * n_types > 1 else np.full_like(pooled, np.nan),
    )


def _bootstrap_bounds(
    estimate: NDArray[np.float64], truth: NDArray[np.float64], *, n_bootstrap: int, seed: int
) -> _Agreement:
    """Return 95% percentile bounds of `_agreement` over samples drawn with replacement.

    A drawn sample keeps all its types together. Resamples in which a metric is undefined are excluded
    from its percentiles; `scipy.stats.bootstrap` would return NaN instead, and is no faster.

    Parameters
    ----------
    estimate, truth
        Cell fractions, shape (n_samples, n_types).
    n_bootstrap
        Number of resamples; 0 gives NaN bounds, and so does a single sample.
    seed
        Seed of the draws.

    Returns
    -------
    ``per_type`` (5, n_types, 2) and ``pooled`` (5, 2): lower and upper bound on the last axis.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    n_samples, n_types = estimate.shape
    if n_bootstrap == 0 or n_samples < 2:
        return _Agreement(np.full((len(METRICS), n_types, 2), np.nan), np.full((len(METRICS), 2), np.nan))
    indices = child_rng(seed, "bootstrap").integers(n_samples, size=(n_bootstrap, n_samples))
    n_blocks = -(-indices.size * n_types // _BLOCK_VALUES)
    blocks = [_agreement(estimate[rows], truth[rows]) for rows in np.array_split(indices, n_blocks)]
    per_type = np.concatenate([block.per_type for block in blocks], axis=1)
    pooled = np.concatenate([block.pooled for block in blocks], axis=1)
    return _Agreement(_percentiles(np.swapaxes(per_type, 1, 2)), _percentiles(pooled))


def _percentiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 2.5th and 97.5th percentile along the last axis, ignoring NaN; NaN where all are NaN."""
    rows = values.reshape(-1, values.shape[-1])
    bounds = np.full((len(rows), 2), np.nan)
    for bound, row in zip(bounds, rows, strict=True):
        defined = row[~np.isnan(row)]
        if defined.size:
            bound[:] = np.percentile(defined, [2.5, 97.5])
    return bounds.reshape(*values.shape[:-1], 2)
