"""Unknown content: cells unlike all known types are detected, cells of known types are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.optimize import minimize_scalar
from scipy.stats import median_abs_deviation

import hpvade
from hpvade._errors import InputError
from hpvade.deconvolve import UnknownCalibration
from hpvade.deconvolve._unknown import (
    GenericCell,
    generic_share,
    log_excess,
    top_unexplained_genes,
    usual_excess,
)
from hpvade.pp import counts_to_cpm

N_TYPES, N_MARKERS, N_ANCHORS = 4, 60, 300


@pytest.fixture
def world():
    """Five types with their own markers and genes that all express; the reference lacks the last type."""
    rng = np.random.default_rng(0)
    n_genes = (N_TYPES + 1) * N_MARKERS + N_ANCHORS
    counts = rng.gamma(2, size=(n_genes, 1)) * np.exp(0.2 * rng.standard_normal((n_genes, N_TYPES + 1)))
    for k in range(N_TYPES + 1):
        markers = np.zeros(n_genes, bool)
        markers[k * N_MARKERS : (k + 1) * N_MARKERS] = True
        counts[np.ix_(markers, np.arange(N_TYPES + 1) != k)] *= 0.03
    seen = np.r_[: N_TYPES * N_MARKERS, (N_TYPES + 1) * N_MARKERS : n_genes]
    cell = GenericCell.from_types(seen, counts[seen, :N_TYPES], weight=np.ones(len(seen)))

    def found(share, *, noise=0.3, power=1.0, n=30):
        known = rng.dirichlet(np.ones(N_TYPES), n)
        fractions = np.c_[known * (1 - share), np.full(n, share)]
        bulk = counts_to_cpm(fractions @ counts[seen].T) ** power
        bulk = bulk * np.exp(noise * rng.standard_normal(bulk.shape))
        return generic_share(bulk, fractions=known, cell=cell, noise_floor=25.0)

    return found


def test_a_generic_cell_lacks_markers(world):
    assert np.median(world(0.0)) <= 0.02
    shares = [np.median(world(share)) for share in (0.2, 0.5, 0.8)]
    assert np.all(np.diff([0.0, *shares]) > 0.1)
    np.testing.assert_allclose(shares, [0.2, 0.5, 0.8], atol=0.15)


def test_the_search_minimises_the_formula():
    """Independent implementation of the docstring, with a general minimiser of the offset for each share."""
    rng = np.random.default_rng(1)
    known, generic, weight = (
        rng.gamma(0.5, size=(8, 400)),
        rng.gamma(0.5, size=400),
        rng.dirichlet(np.ones(400)),
    )
    truth = rng.uniform(0, 0.9, (8, 1))
    bulk = counts_to_cpm((1 - truth) * known + truth * generic) * np.exp(0.5 * rng.standard_normal((8, 400)))
    bulk[:, :60] *= 30  # outliers, which shift the offset of least squares
    log_bulk = np.log(counts_to_cpm(bulk) + 25)

    def residual(share, i):
        log_expected = np.log(counts_to_cpm((1 - share) * known[i] + share * generic) + 25)
        slope = np.polyfit(log_expected, log_bulk[i], 1, w=np.sqrt(weight))[0]
        return log_bulk[i] - min(max(slope, 0.5), 1) * log_expected

    def loss(share, i, limit):
        def at(offset):
            e = np.abs(residual(share, i) - offset)
            return np.sum(weight * np.where(e < limit, e**2, limit * (2 * e - limit)))

        return minimize_scalar(at, bounds=(-3, 3), method="bounded").fun

    limits = [1.5 * median_abs_deviation(residual(0, i), scale="normal") for i in range(8)]
    grid = np.linspace(0, 0.99, 100)
    expected = [grid[np.argmin([loss(share, i, limits[i]) for share in grid])] for i in range(8)]
    cell = GenericCell(np.arange(400), known.T, generic, weight)  # one known type per sample
    found = generic_share(bulk, fractions=np.eye(8), cell=cell, noise_floor=25.0)
    np.testing.assert_allclose(found, expected, atol=0.0101)
    assert np.ptp(found) > 0.3


def test_compressed_expression_is_not_mistaken_for_unknown_cells(world):
    assert np.median(world(0.0, power=0.7)) <= 0.05


def test_bounds_contain_the_estimate_and_widen_with_coverage():
    errors = np.sort(np.random.default_rng(0).normal(0.05, 0.1, 200))
    calibration = UnknownCalibration(np.array([0.1]), np.array([0.5]), errors)
    np.testing.assert_allclose(calibration.share(np.array([0.05, 0.35, 0.9])), [0, 0.5, 0.99])
    share = np.array([0.0, 0.4])
    narrow, wide = (calibration.interval(share, coverage=coverage) for coverage in (0.5, 0.9))
    assert (wide[0] <= narrow[0]).all()
    assert (narrow[0] <= share).all()
    assert (share <= narrow[1]).all()
    assert (narrow[1] < wide[1]).all()
    true = share[1] + np.random.default_rng(1).normal(0.05, 0.1, 4_000)
    assert ((true >= wide[0][1]) & (true <= wide[1][1])).mean() == pytest.approx(0.9, abs=0.03)
    np.testing.assert_array_equal(calibration.interval(share, coverage=0.999), [[0, 0], [1, 1]])


def test_genes_that_only_one_sample_expresses_are_named():
    known = np.full((5, 100), 10.0)
    linear = known.copy()
    linear[2, [7, 8]] = 1_000, 500
    linear[:, 9] = 1_000  # in all samples: the platform
    names = [f"G{i}" for i in range(100)]

    def genes(linear):
        excess = log_excess(linear, known=known[: len(linear)], noise_floor=25.0)
        return top_unexplained_genes(excess - usual_excess(excess), linear, names=names)

    assert genes(linear) == ["", "", "G7;G8", "", ""]
    assert genes(linear[2:3]) == ["G7;G9;G8"]


@pytest.fixture(scope="module")
def model_and_bulk():
    """A trained model that can estimate unknown content, and samples of five known types and a sixth."""
    everything = hpvade.testing.tiny_reference(n_cells=60, n_genes=1_500, cell_types=tuple("ABCDEX"))
    known = everything[everything.obs["cell_type"] != "X"].copy()
    hpvade.HPVADE.setup_anndata(known)
    config = {
        "preprocess": {"n_markers": 60},
        "train": {"max_epochs": 3},
        "deconvolve": {"n_calibration": 60},
    }
    model = hpvade.HPVADE(known, preset="fast", config=config)
    model.train()
    rng = np.random.default_rng(0)
    counts = [everything[everything.obs["cell_type"] == t].layers["counts"].toarray() for t in "ABCDEX"]
    share = np.array([0.0, 0.0, 0.3, 0.6])
    drawn = [rng.multinomial(300, [*((1 - u) * np.array([0.4, 0.2, 0.2, 0.1, 0.1])), u]) for u in share]
    bulk = [sum(c[rng.integers(0, len(c), n)].sum(0) for c, n in zip(counts, d, strict=True)) for d in drawn]
    samples = AnnData(
        np.array(bulk, np.float64),
        obs=pd.DataFrame(index=list("abcd")),
        var=pd.DataFrame(index=everything.var_names),
    )
    return model, samples


def test_unknown_cells_are_distinguished_from_known_ones(model_and_bulk):
    model, bulk = model_and_bulk
    qc = model.deconvolve(bulk).qc
    assert qc["unknown"].tolist() == bulk.obs["unknown"].tolist()
    assert qc["unknown"].iloc[:2].max() < 0.1
    assert qc["unknown"].iloc[2] > 0.1
    assert qc["unknown"].iloc[3] > qc["unknown"].iloc[2] + 0.1
    assert (qc["unknown_lower"] <= qc["unknown"]).all()
    assert (qc["unknown"] <= qc["unknown_upper"]).all()


def test_fractions_with_unknown_content_sum_to_one(model_and_bulk):
    model, bulk = model_and_bulk
    plain = model.deconvolve(bulk.copy())
    scaled = plain.with_unknown()
    np.testing.assert_allclose(scaled.fractions.sum(1), 1)
    np.testing.assert_allclose(scaled.fractions["unknown"], plain.qc["unknown"])
    known = scaled.fractions[model.cell_types]
    np.testing.assert_allclose(known.div(known.sum(1), axis=0), plain.fractions)
    assert (scaled.lower <= scaled.fractions + 1e-12).all(axis=None)
    assert (scaled.fractions <= scaled.upper + 1e-12).all(axis=None)


def test_no_column_is_added_if_unknown_content_is_not_available(trained):
    model, bulk = trained  # 300 genes: too few that all types express
    answer = model.deconvolve(bulk.copy())
    assert answer.qc["unknown"].isna().all()
    with pytest.raises(InputError, match="Unknown content cannot be estimated"):
        answer.with_unknown()


def test_the_calibration_survives_saving(model_and_bulk, tmp_path):
    model, bulk = model_and_bulk
    model.save(tmp_path / "model")
    loaded = hpvade.HPVADE.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.deconvolve(bulk.copy()).qc, model.deconvolve(bulk.copy()).qc)
