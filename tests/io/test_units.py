"""Units: what is detected, what is undone, and that other samples do not change the result."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpvade._errors import CountsError
from hpvade._warnings import DataWarning
from hpvade.io import detect_unit, read_bulk

N_SAMPLES, N_GENES = 8, 60


def table(unit: str, seed: int = 0) -> np.ndarray:
    """Samples × genes in a unit, each sample with a zero."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(0.5, 400, (N_SAMPLES, N_GENES)) + 2).astype(float)
    counts[:, 0] = 0
    tpm = (counts + rng.random(counts.shape) * (counts > 0)) / counts.sum(1, keepdims=True)
    tpm = tpm / tpm.sum(1, keepdims=True) * 1e6
    return {
        "counts": counts,
        "tpm/cpm": tpm,
        "linear": tpm / 100,
        "log2": np.log2(tpm + 1),
        "log2 array": np.log2(tpm / 100 + 50),
    }[unit]


UNITS = ["counts", "tpm/cpm", "linear", "log2"]


@pytest.mark.parametrize("unit", UNITS)
def test_detects(unit):
    assert detect_unit(table(unit)) == unit


@given(unit=st.sampled_from(UNITS), seed=st.integers(0, 50), data=st.data())
def test_other_samples_do_not_matter(unit, seed, data):
    values = table(unit, seed)
    order = data.draw(st.permutations(range(N_SAMPLES)))
    assert detect_unit(values[order]) == unit
    alone = data.draw(st.integers(0, N_SAMPLES - 1))
    assert detect_unit(values[[alone]]) == unit
    rescaled = values.copy()
    rescaled[alone] *= 7
    assert detect_unit(rescaled) == unit


def read(values: np.ndarray, tmp_path, **kwargs):
    genes = ["ACTB", *(f"G{i}" for i in range(1, values.shape[1]))]
    frame = pd.DataFrame(values.T, genes, [f"s{i}" for i in range(len(values))])
    frame.to_csv(tmp_path / "bulk.tsv", sep="\t")
    return read_bulk(tmp_path / "bulk.tsv", **kwargs)


@pytest.mark.parametrize(("unit", "offset", "inverse"), [("log2", 1, "2**x - 1"), ("log2 array", 0, "2**x")])
def test_detected_log_is_undone_and_reported(tmp_path, unit, offset, inverse):
    values = table(unit)
    with pytest.warns(DataWarning, match="appear to be log-transformed.*Base 2 was assumed"):
        bulk = read(values, tmp_path)
    np.testing.assert_allclose(bulk.X, 2**values - offset, atol=1e-6)
    assert bulk.uns["hpvade"]["transform"] == inverse
    assert "appear to be log-transformed" in bulk.uns["hpvade"]["notes"][0]


def test_given_log_is_undone_without_a_warning(tmp_path):
    values = table("log2")
    np.testing.assert_allclose(read(values, tmp_path, unit="log2").X, 2**values - 1, atol=1e-6)


def test_negative_logarithms_are_accepted(tmp_path):
    values = np.log2(table("tpm/cpm") + 0.001)
    assert values.min() < -9
    with pytest.warns(DataWarning, match="appear to be log-transformed"):
        bulk = read(values, tmp_path)
    np.testing.assert_allclose(bulk.X, 2**values, rtol=1e-6)


def test_logarithms_slightly_below_zero_do_not_become_negative(tmp_path):
    values = table("log2")
    values[:, 1] = -0.05
    bulk = read(values, tmp_path, unit="log2")
    assert (bulk.X[:, 1] == 0).all()


def test_given_unit_goes_before_detection(tmp_path):
    values = table("tpm/cpm")
    for unit in ("counts", "tpm", "cpm", "fpkm", "microarray"):
        bulk = read(values, tmp_path, unit=unit)
        np.testing.assert_allclose(bulk.X, values)
        assert bulk.uns["hpvade"]["unit"] == unit
        assert bulk.uns["hpvade"]["unit_given_or_detected"] == "given"


def test_given_linear_unit_for_logarithms_is_doubted(tmp_path):
    values = table("log2")
    with pytest.warns(DataWarning, match="'tpm' was given.*--bulk-unit log2"):
        bulk = read(values, tmp_path, unit="tpm")
    np.testing.assert_allclose(bulk.X, values)


def test_given_log_for_linear_values_is_refused(tmp_path):
    with pytest.raises(CountsError, match="the values are not logarithms"):
        read(table("tpm/cpm"), tmp_path, unit="log2")
