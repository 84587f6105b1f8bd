"""Agreement between estimated and measured cell fractions: pure functions and tables built from them."""

from __future__ import annotations

from hpvade.metrics._evaluation import Evaluation, evaluate
from hpvade.metrics._functions import bias, ccc, mae, pearson, r_type, rmse
from hpvade.metrics._group_tests import check_groups, compare_groups

__all__ = [
    "Evaluation",
    "bias",
    "ccc",
    "check_groups",
    "compare_groups",
    "evaluate",
    "mae",
    "pearson",
    "r_type",
    "rmse",
]
