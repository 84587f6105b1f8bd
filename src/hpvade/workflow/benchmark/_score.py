"""Estimates against truths: one tidy table, and its means."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import InputError
from hpvade._warnings import DegenerateMetricWarning, HPVADEWarning, warn
from hpvade.datasets import scored_columns
from hpvade.metrics import evaluate

if TYPE_CHECKING:
    from hpvade.datasets import BulkEntry
    from hpvade.workflow.benchmark._fit import Estimate
    from hpvade.workflow.benchmark._plan import BenchmarkReference

METRICS = ("r", "ccc", "rmse", "mae", "bias")
POOLED = "pooled"
MEAN = "mean of types"
PAIR = ["reference", "dataset"]
COSTS = ["seconds", "peak_memory_mb"]
_BOUNDED = [f"{metric}{side}" for metric in METRICS for side in ("", "_lower", "_upper")]
COLUMNS = [*PAIR, "method", "seed", "scope", "n_samples", *_BOUNDED, *COSTS]
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
    all samples and types pooled; columns as `COLUMNS` names them. ``<metric>_lower`` and ``_upper`` are the
    95 % percentile bootstrap over samples.

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
    for told in caught:
        if not (method == _CONSTANT and issubclass(told.category, DegenerateMetricWarning)):
            warn(f"{name}: {told.message}", told.category)  # type: ignore[arg-type]
    rows = {str(cell_type): row for cell_type, row in result.per_type.iterrows()}
    rows[MEAN] = result.per_type[list(METRICS)].mean()
    rows[POOLED] = pd.Series(result.pooled)
    table = pd.DataFrame(rows).T.rename_axis("scope").reset_index()
    table[[*PAIR, "method"]] = [reference.name, dataset, method]
    table["seed"] = pd.array([seed] * len(table), dtype="Int64")
    table["n_samples"] = result.summary["n_samples"]
    for cost in COSTS:
        value = estimate.facts.get(cost)
        table[cost] = float("nan") if value is None else float(value)
    return table[COLUMNS]


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the seeds of each reference, set, method and scope.

    Returns
    -------
    A row for each of them, in the order of ``table``: metrics and costs as means over seeds,
    ``<metric>_sd`` (NaN with one seed), the lowest lower and the highest upper bound, ``n_seeds``.
    """
    groups = table.groupby([*PAIR, "method", "scope"], sort=False)
    means = groups[["n_samples", *METRICS, *COSTS]].mean()
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
    ``rmse``, ``mae``; costs. Pairs where a metric is undefined are skipped in its mean, with a
    `DegenerateMetricWarning`; where all are, it is NaN.
    """
    pairs = over_seeds(table)
    pooled = pairs[pairs["scope"] == POOLED].set_index([*PAIR, "method"])
    of_types = pairs[pairs["scope"] == MEAN].set_index([*PAIR, "method"])
    values = pd.DataFrame({"r_type": of_types["r"], "ccc_type": of_types["ccc"]})
    values = values.join(pooled[["r", "ccc", "rmse", "mae", *COSTS]])
    groups = values.groupby("method", sort=False)
    summary = groups.mean()
    summary.insert(0, "pairs", groups.size())
    told: list[str] = []
    for metric in ("r_type", "ccc_type", "r", "ccc"):
        undefined = values[metric].isna().groupby("method", sort=False).sum()
        told += [
            f"{metric} of {method} in {n} of {of} pairs"
            for method, n, of in zip(summary.index, undefined, summary["pairs"], strict=True)
            if 0 < n < of
        ]
    if told:
        warn(f"Undefined and skipped in the mean over pairs: {'; '.join(told)}.", DegenerateMetricWarning)
    return summary


def by_type(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean of a metric over all pairs, cell types × methods; undefined values are skipped."""
    pairs = over_seeds(table)
    types = pairs[~pairs["scope"].isin([POOLED])]
    means = types.groupby(["scope", "method"], sort=False)[metric].mean().unstack("method")
    order = [*(scope for scope in dict.fromkeys(types["scope"]) if scope != MEAN), MEAN]
    return means.loc[order, list(dict.fromkeys(table["method"]))]
