"""Agreement of estimated and measured cell fractions: pure functions, and tables made of them."""

from __future__ import annotations

from hpvade.metrics._functions import bias, ccc, mae, pearson, rmse
from hpvade.metrics._group_tests import check_groups, compare_groups
from hpvade.metrics._r_type import r_type
from hpvade.metrics._tables import Evaluation, evaluate

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
