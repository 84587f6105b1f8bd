"""Units: what is detected, what is undone, and that other samples do not change the result."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hpvade
from hpvade._errors import CountsError
from hpvade._warnings import DataWarning
from hpvade.io import detect_unit, read_bulk
from hpvade.io.bulk._units import find_unit

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
        "log": np.log2(tpm + 1),
        "log2 array": np.log2(tpm / 100 + 50),
    }[unit]


UNITS = ["counts", "tpm/cpm", "linear", "log"]


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


@pytest.mark.parametrize(("unit", "offset", "inverse"), [("log", 1, "2**x - 1"), ("log2 array", 0, "2**x")])
def test_detected_log_is_undone_and_reported(tmp_path, unit, offset, inverse):
    values = table(unit)
    with pytest.warns(DataWarning, match="appear to be log-transformed"):
        bulk = read(values, tmp_path)
    np.testing.assert_allclose(bulk.X, 2**values - offset, atol=1e-6)
    assert bulk.uns["hpvade"]["transform"] == inverse
    assert "appear to be log-transformed" in bulk.uns["hpvade"]["notes"][0]


def test_given_log_is_undone_without_a_warning(tmp_path):
    values = table("log")
    np.testing.assert_allclose(read(values, tmp_path, unit="log2").X, 2**values - 1, atol=1e-6)


def test_negative_logarithms_are_accepted(tmp_path):
    values = np.log2(table("tpm/cpm") + 0.001)
    assert values.min() < -9
    with pytest.warns(DataWarning, match="appear to be log-transformed"):
        bulk = read(values, tmp_path)
    np.testing.assert_allclose(bulk.X, 2**values, rtol=1e-6)


def test_logarithms_slightly_below_zero_do_not_become_negative(tmp_path):
    values = table("log")
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
    values = table("log")
    with pytest.warns(DataWarning, match="'tpm' was given.*--bulk-unit log2"):
        bulk = read(values, tmp_path, unit="tpm")
    np.testing.assert_allclose(bulk.X, values)


def test_given_log_for_linear_values_is_refused(tmp_path):
    with pytest.raises(CountsError, match="the values are not logarithms"):
        read(table("tpm/cpm"), tmp_path, unit="log2")


@pytest.fixture(scope="module")
def tpm() -> np.ndarray:
    """Six samples of 3,000 genes: log-normal with zeros, as RNA-seq is."""
    rng = np.random.default_rng(0)
    level = rng.normal(0, 2.2, 3_000) + rng.normal(0, 0.6, (6, 3_000))
    linear = np.exp(level) * (rng.random(3_000) > 0.2)
    return linear / linear.sum(1, keepdims=True) * 1e6


def found(values: np.ndarray, unit: str = "auto"):
    return find_unit(values, unit=unit, format_unit=None)


@pytest.mark.parametrize(
    ("log", "name", "transform"),
    [
        (lambda x: np.log2(x + 1), "log2", "2**x - 1"),
        (np.log1p, "ln", "e**x - 1"),
        (lambda x: np.log10(x + 1), "log10", "10**x - 1"),
        (lambda x: np.log10(x + 0.001), "log10", "10**x"),
        (lambda x: np.log1p(x / 100), "ln", "e**x - 1"),  # of counts per 10,000, as scanpy makes it
        (lambda x: np.log(np.rint(x * 3) + 1), "ln", "e**x - 1"),  # of counts
        (lambda x: np.log10(np.rint(x * 3) + 1), "log10", "10**x - 1"),
    ],
)
@pytest.mark.parametrize("n_samples", [1, 6])
def test_the_base_of_logarithms_shows_in_sums_and_whole_numbers(tpm, log, name, transform, n_samples):
    values = log(tpm[:n_samples]).round(5)
    unit = found(values)
    assert (unit.name, unit.transform) == (name, transform)
    assert "because the linear values" in unit.notes[0]
    linear = unit.linear(values)
    linear = linear / linear.sum(1, keepdims=True) * 1e6
    assert np.corrcoef(np.log(linear.ravel() + 1), np.log(tpm[:n_samples].ravel() + 1))[0, 1] > 0.98
    assert found(values, unit=name).transform == transform


def test_a_given_base_that_the_values_contradict_is_used_and_doubted(tpm):
    unit = found(np.log1p(tpm), unit="log2")
    assert unit.transform == "2**x - 1"
    assert "sum to 1,000,000 if they are taken as ln" in unit.notes[0]


def test_logarithms_without_a_sign_of_their_base(tpm):
    unit = found(np.log2(0.37 * tpm + 1))
    assert unit.name == "log2"
    assert "Base 2 was assumed" in unit.notes[0]
    with pytest.raises(CountsError, match=r"do not show the base. Pass --bulk-unit log2, ln or log10"):
        found(np.log10(0.37 * tpm + 1))


@pytest.mark.parametrize("factor", [1e-3, 1e-4, 1e-6])
def test_small_linear_values_are_no_logarithms(tpm, factor):
    """Means of counts per cell, and fractions: most values are far below the largest."""
    assert found(factor * tpm).name == "linear"


def test_values_between_linear_and_logarithms_are_not_guessed(tpm):
    with pytest.raises(CountsError, match="do not show whether they are linear or logarithms"):
        found((1e-4 * tpm) ** 0.7)


SCALED = {
    "genes to mean 0": lambda x: x - x.mean(0),
    "z-scores of genes": lambda x: (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1),
    "genes to variance 1": lambda x: x / np.where(x.std(0) > 0, x.std(0), 1),
    "genes to 0 … 1": lambda x: (x - x.min(0)) / np.where(np.ptp(x, 0) > 0, np.ptp(x, 0), 1),
    "z-scores of samples": lambda x: (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True),
}


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize("unit", ["auto", "log2", "tpm"])
def test_scaled_values_are_refused_whatever_the_unit(tpm, name, unit):
    with pytest.raises(CountsError, match="are not expression"):
        found(SCALED[name](np.log2(tpm + 1)), unit=unit)


def test_z_scores_of_one_sample_are_refused(tpm):
    with pytest.raises(CountsError, match="the mean of each sample is 0"):
        found(SCALED["z-scores of samples"](np.log2(tpm[:1] + 1)))


@pytest.mark.parametrize("logged", [True, False])
def test_a_sample_on_another_scale_is_named(tpm, tmp_path, logged):
    table, other = (tpm, np.log2(tpm + 1)) if logged else (np.log2(tpm + 1), tpm)
    values = np.vstack([table[:5], other[5:]])
    with (
        pytest.raises(CountsError, match=r"values of 's5' look"),
        warnings.catch_warnings(action="ignore", category=DataWarning),
    ):
        read(values, tmp_path)


def test_real_tables_are_no_logarithms_and_their_logarithms_are(shared_data):
    for entry in hpvade.datasets.read_manifest(shared_data).bulk.values():
        bulk = read_bulk(entry.path, unit=entry.unit)
        if entry.unit != "tpm":
            continue
        assert detect_unit(bulk.X) in {"tpm/cpm", "linear"}
        assert found(np.log2(bulk.X + 1)).name == "log2"
        assert found(np.log10(bulk.X + 1)).name == "log10"
        assert not found(bulk.X).other_scale(bulk.X).any()
