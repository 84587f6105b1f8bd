from __future__ import annotations

import numpy as np
import pytest

from hpvade._errors import LabelError
from hpvade.simulate import SimulateConfig, draw_fractions

TYPES = ["A", "B", "C", "D"]


def draw(**settings):
    return draw_fractions(2000, TYPES, rng=np.random.default_rng(0), config=SimulateConfig(**settings))


def test_rows_sum_to_one():
    np.testing.assert_allclose(draw().sum(1), 1)
    assert (draw() >= 0).all()


def test_sparse_mixtures_lack_types():
    assert (draw(sparse=0) > 0).all()
    absent = (draw(sparse=1) == 0).mean()
    assert 0.25 < absent < 0.45


def test_dirichlet_one_is_even_on_average():
    np.testing.assert_allclose(draw(sparse=0).mean(0), 0.25, atol=0.02)


def test_prior_moves_the_mean():
    mean = draw(sparse=0, prior={"A": 0.7, "B": 0.3}).mean(0)
    assert mean[0] > 0.4
    assert mean[2] < 0.2


def test_prior_with_an_unknown_type():
    with pytest.raises(LabelError, match=r"'Mono', which is not a cell type\. Did you mean 'Monocyte'"):
        draw_fractions(
            5, ["Monocyte", "B"], rng=np.random.default_rng(0), config=SimulateConfig(prior={"Mono": 1})
        )
