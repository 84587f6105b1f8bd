"""Estimates against truths: one tidy table, and its means."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import InputError
from hpvade._warnings import DegenerateMetricWarning, HPVADEWarning, warn
from hpvade.datasets import scored_columns
from hpvade.jobs.benchmark._columns import COLUMNS, COSTS, INTERVALS, MEAN, METRICS, PAIR, POOLED, UNKNOWN
from hpvade.jobs.benchmark._intervals import coverage_and_width, true_scopes
from hpvade.metrics import evaluate

if TYPE_CHECKING:
    from hpvade.datasets import BulkEntry
    from hpvade.jobs.benchmark._estimate import Estimate
    from hpvade.jobs.benchmark._plan import BenchmarkReference

_CONSTANT = "mean"  # the method that has no correlation by nature


def score(
    estimate: Estimate,
    truth: pd.DataFrame,
    *,
    reference: BenchmarkReference,
    dataset: str,
    entry: BulkEntry,
    method: str,
    seed: int | None,
    bootstrap_seed: int = 0,
) -> pd.DataFrame:
    """Score one estimate over the headline types of a set.

    Returns
    -------
    One row for each type, one for the mean of types (no bounds; types without a value are skipped), one for
    all samples and types pooled, and one for unknown content if the method estimates it; columns as `COLUMNS`
    names them. ``<metric>_lower`` and ``_upper`` are the 95% percentile bootstrap over samples; ``coverage``
    and ``width`` the share of 90% intervals that hold the truth, and their median width.

    Raises
    ------
    InputError
        The estimate lacks samples or types; the message begins with its name.
    """
    name = ".".join([reference.name, method, dataset, *([] if seed is None else [str(seed)])])
    mapping = scored_columns(entry, reference.coarse)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", HPVADEWarning)
            result = evaluate(estimate.fractions, truth, mapping=mapping, seed=bootstrap_seed)
    except InputError as error:
        msg = f"{name}: {error}"
        raise InputError(msg) from error
    for warning in caught:
        if not (method == _CONSTANT and issubclass(warning.category, DegenerateMetricWarning)):
            warn(f"{name}: {warning.message}", warning.category)  # type: ignore[arg-type]
    rows = {str(cell_type): row for cell_type, row in result.per_type.iterrows()}
    rows[MEAN] = result.per_type[list(METRICS)].mean()
    rows[POOLED] = pd.Series(result.pooled)
    if estimate.intervals is None:
        table = pd.DataFrame(rows).T.assign(**dict.fromkeys(INTERVALS, float("nan")))
    else:
        known = true_scopes(truth, entry, reference.coarse)
        if UNKNOWN in known and UNKNOWN in set(estimate.intervals["scope"]):
            rows[UNKNOWN] = _score_unknown(estimate.intervals, known, seed=bootstrap_seed)
        table = pd.DataFrame(rows).T.join(_score_intervals(estimate.intervals, known))
    table = table.rename_axis("scope").reset_index()
    table[[*PAIR, "method"]] = [reference.name, dataset, method]
    table["seed"] = pd.array([seed] * len(table), dtype="Int64")
    table["n_samples"] = result.summary["n_samples"]
    for cost in COSTS:
        value = estimate.facts.get(cost)
        table[cost] = float("nan") if value is None else float(value)
    return table[COLUMNS]


def _score_unknown(intervals: pd.DataFrame, truth: pd.DataFrame, *, seed: int) -> pd.Series:
    """Compare unknown content with the measured fractions of what the reference lacks."""
    unknown = intervals[intervals["scope"] == UNKNOWN].set_index("sample")
    with warnings.catch_warnings():
        # Often the true or the estimated content is 0 in all samples, and there is no correlation.
        warnings.simplefilter("ignore", DegenerateMetricWarning)
        share = unknown[["fraction"]].set_axis([UNKNOWN], axis=1)
        result = evaluate(share, truth[[UNKNOWN]], seed=seed)
    return result.per_type.iloc[0]


def _score_intervals(intervals: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Coverage and median width of each scope, index: scope."""
    scored = coverage_and_width(intervals, truth)
    table = scored.groupby("scope").agg(coverage=("covered", "mean"), width=("width", "median"))
    types = scored[scored["scope"] != UNKNOWN]
    table.loc[MEAN] = table.drop(index=UNKNOWN, errors="ignore").mean()
    table.loc[POOLED] = [types["covered"].mean(), types["width"].median()]
    return table


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the seeds of each reference, set, method and scope.

    Returns
    -------
    A row for each of them, in the order of ``table``: metrics, intervals and costs as means over seeds,
    ``<metric>_sd`` (NaN with one seed), the lowest lower and the highest upper bound, ``n_seeds``.
    """
    groups = table.groupby([*PAIR, "method", "scope"], sort=False)
    means = groups[["n_samples", *METRICS, *INTERVALS, *COSTS]].mean()
    spread = groups[list(METRICS)].std().add_suffix("_sd")
    lower = groups[[f"{metric}_lower" for metric in METRICS]].min()
    upper = groups[[f"{metric}_upper" for metric in METRICS]].max()
    size = groups.size().rename("n_seeds")
    return pd.concat([means, spread, lower, upper, size], axis=1).reset_index()


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Mean of each method over all pairs of reference and set, each pair the mean over its seeds.

    Returns
    -------
    Index: method. Columns: ``pairs``; ``r_type`` and ``ccc_type``, means over types; pooled ``r``, ``ccc``,
    ``rmse``, ``mae``, ``coverage`` and ``width``; costs. Pairs where a metric is undefined are
    skipped in its mean, with a `DegenerateMetricWarning`; where all are, it is NaN.
    """
    pairs = over_seeds(table)
    pooled = pairs[pairs["scope"] == POOLED].set_index([*PAIR, "method"])
    types = pairs[pairs["scope"] == MEAN].set_index([*PAIR, "method"])
    values = pd.DataFrame({"r_type": types["r"], "ccc_type": types["ccc"]})
    values = values.join(pooled[["r", "ccc", "rmse", "mae", *INTERVALS, *COSTS]])
    groups = values.groupby("method", sort=False)
    summary = groups.mean()
    summary.insert(0, "pairs", groups.size())
    undefined_metrics: list[str] = []
    for metric in ("r_type", "ccc_type", "r", "ccc"):
        undefined = values[metric].isna().groupby("method", sort=False).sum()
        undefined_metrics += [
            f"{metric} of {method} in {n} of {of} pairs"
            for method, n, of in zip(summary.index, undefined, summary["pairs"], strict=True)
            if 0 < n < of
        ]
    if undefined_metrics:
        metrics = "; ".join(undefined_metrics)
        warn(f"Undefined and skipped in the mean over pairs: {metrics}.", DegenerateMetricWarning)
    return summary


def by_type(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean of a metric over all pairs, cell types × methods; undefined values are skipped."""
    pairs = over_seeds(table)
    types = pairs[~pairs["scope"].isin([POOLED, UNKNOWN])]
    means = types.groupby(["scope", "method"], sort=False)[metric].mean().unstack("method")
    order = [*(scope for scope in dict.fromkeys(types["scope"]) if scope != MEAN), MEAN]
    return means.loc[order, list(dict.fromkeys(table["method"]))]
