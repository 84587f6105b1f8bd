"""Noise of arrays, and genes that were filtered out of a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import hpvade
from hpvade._warnings import DataWarning
from hpvade.deconvolve import Detection
from hpvade.world import shipped_world

WORLD = shipped_world()
LEVEL = WORLD.level[:, list(WORLD.facts.index).index("classical_monocyte")].astype(float)
NAMES = pd.Index(WORLD.genes)


def table(linear: np.ndarray, genes: pd.Index = NAMES, unit: str = "tpm") -> AnnData:
    """Samples of a table, with its unit."""
    bulk = AnnData(np.atleast_2d(linear), var=pd.DataFrame(index=list(genes)))
    bulk.uns["hpvade"] = {"unit": unit}
    return bulk


def found(bulk: AnnData) -> Detection:
    return Detection.of_table(bulk, names=NAMES, symbols=NAMES.to_numpy(str), world=WORLD)


@pytest.fixture(scope="module")
def tpm() -> np.ndarray:
    noise = np.random.default_rng(0).lognormal(0, 0.3, (3, len(LEVEL)))
    return LEVEL * noise / (LEVEL * noise).sum(1, keepdims=True) * 1e6


def test_sequencing_has_no_additive_noise(tpm):
    limits = found(table(tpm))
    assert not limits.filtered.any()
    assert limits.noise_floor(np.ones(3), least=25) == pytest.approx(25, abs=2)


@pytest.mark.parametrize("spread", [25.0, 35.0])
def test_the_noise_of_an_array_is_found(tpm, spread):
    signal = np.abs(np.random.default_rng(1).normal(500, spread, tpm.shape))
    limits = found(table(tpm + signal))
    # Above the background, the 10% quantile, silent genes have their 75% quantile.
    np.testing.assert_allclose(limits.noise, (1.2816 + 0.6745) * spread, rtol=0.25)
    assert limits.noise_floor(np.ones(3), least=25) == pytest.approx(25 + 5 * np.median(limits.noise))
    assert limits.noise_floor(np.full(3, 100.0), least=25) == 400


@pytest.mark.parametrize("cut_off", [2.0, 10.0])
def test_genes_below_a_cut_off_are_found(tpm, cut_off):
    kept = tpm.mean(0) > cut_off
    limits = found(table(tpm[:, kept], NAMES[kept]))
    np.testing.assert_array_equal(limits.filtered, ~kept)
    assert limits.noise_floor(np.ones(3), least=25) == 25


def test_genes_that_are_missing_by_chance_are_not_taken_for_low(tpm):
    rng = np.random.default_rng(0)
    chance = rng.random(len(NAMES)) > 0.3
    assert not found(table(tpm[:, chance], NAMES[chance])).filtered.any()
    both = chance & (tpm.mean(0) > 10)
    assert not found(table(tpm[:, both], NAMES[both])).filtered.any()


def test_an_array_without_its_silent_genes_has_a_usual_floor(tpm):
    kept = tpm.mean(0) > 10
    limits = found(table(tpm[:, kept], NAMES[kept], unit="microarray"))
    assert not limits.filtered.any()
    assert limits.noise_floor(np.ones(3), least=25) == 200


def test_other_species_and_panels_are_not_judged(tpm):
    kept = tpm.mean(0) > 10
    mouse = found(table(tpm[:, kept], NAMES[kept].str.capitalize()))
    panel = found(table(tpm[:, :500], NAMES[:500]))
    for limits in (mouse, panel):
        assert not limits.filtered.any()
        assert not limits.noise.any()


def test_a_cut_table_is_answered_like_the_whole_one(shared_data, blood_model):
    entry = hpvade.datasets.read_manifest(shared_data).bulk["hoek_GSE64655"]
    bulk = hpvade.io.read_bulk(entry.path, unit=entry.unit)
    kept = bulk.to_df().mean().to_numpy() > 10
    whole = blood_model.deconvolve(bulk.copy()).fractions
    with pytest.warns(DataWarning, match="filtered"):
        cut = blood_model.deconvolve(bulk[:, kept].copy()).fractions
    assert (whole - cut).abs().to_numpy().mean() < 0.015
