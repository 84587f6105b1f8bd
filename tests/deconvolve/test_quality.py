"""Flags: samples that the model cannot deconvolve are flagged, others are not."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import hpvade
from hpvade.deconvolve import FLAGS, quality
from hpvade.io import all_gene_names, read_bulk
from hpvade.pp import counts_to_cpm

N_GENES = 6_000


@pytest.fixture
def judged():
    """Flags of one sample that S·r reconstructs with log-normal noise, or of a changed one."""
    rng = np.random.default_rng(0)
    expected = counts_to_cpm(np.exp(1.2 * rng.standard_normal((1, N_GENES))))

    def flags(change=None, *, measured=1.0, known=1.0, fractions=(0.6, 0.4), width=(0.1, 0.1), unknown=0.0):
        sample = expected * np.exp(0.4 * rng.standard_normal(expected.shape))
        sample = sample if change is None else change(sample, rng)
        names = pd.Index([f"G{i}" for i in range(N_GENES)])
        table = quality(
            anndata.AnnData(sample, obs=pd.DataFrame(index=["s"]), var=pd.DataFrame(index=names)),
            cpm=counts_to_cpm(sample),
            expected=expected,
            measured=np.arange(N_GENES) < measured * N_GENES,
            reference_overlap=known,
            fractions=np.array([fractions]),
            widest={"cell_type": np.array([max(width)])},
            unknown=pd.DataFrame({"unknown": [unknown]}, index=["s"]),
            noise_floor=25.0,
        )
        return set(filter(None, table.loc["s", "flags"].split(";")))

    return flags


def test_a_sample_that_fits_has_no_flags(judged):
    assert judged() == set()


@pytest.mark.parametrize(
    ("flags", "change"),
    [
        ({"poor_fit", "out_of_distribution"}, lambda x, rng: rng.permutation(x, axis=1)),
        ({"out_of_distribution"}, lambda x, rng: x * np.exp(1.6 * rng.choice([-1, 1], x.shape))),
        ({"flat"}, lambda x, _rng: np.log1p(x)),
    ],
)
def test_values(judged, flags, change):
    assert flags <= judged(change)


@pytest.mark.parametrize(
    ("flag", "arguments"),
    [
        ("few_genes", {"measured": 0.4}),
        ("few_genes", {"known": 0.05}),
        ("one_type", {"fractions": (0.97, 0.03)}),
        ("wide_interval", {"width": (0.6, 0.1)}),
        ("incomplete_reference", {"unknown": 0.4}),
    ],
)
def test_estimates(judged, flag, arguments):
    assert judged(**arguments) == {flag}


def test_a_table_of_selected_genes_is_not_flat(trained):
    model, bulk = trained
    assert not model.deconvolve(bulk.copy()).qc["flags"].str.contains("flat").any()


def test_every_flag_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "quality.md").read_text()
    assert all(f"`{name}`" in text for name in FLAGS)


@pytest.mark.parametrize("dataset", ["monaco_GSE107011", "hoek_GSE64655"])
def test_real_blood_is_not_flagged_and_noise_is(shared_data, blood_model, dataset):
    manifest = hpvade.datasets.read_manifest(shared_data)
    entry = manifest.bulk[dataset]
    bulk = read_bulk(entry.path, unit=entry.unit, genes=all_gene_names(blood_model.trained.gene_names))
    assert (blood_model.deconvolve(bulk.copy()).qc["flags"] == "").all()
    rng = np.random.default_rng(0)
    shuffled = anndata.AnnData(rng.permuted(bulk.to_df().to_numpy(), axis=1), obs=bulk.obs, var=bulk.var)
    noise = anndata.AnnData(1e3 * rng.exponential(size=bulk.shape), obs=bulk.obs, var=bulk.var)
    for table in (shuffled, noise):
        assert blood_model.deconvolve(table).qc["flags"].str.contains("out_of_distribution").all()


def test_other_tissues_of_another_species_are_named(shared_data, blood_model):
    """Three samples each of rat liver, brain and lung, then mixtures of them, and a model of human blood."""
    entry = hpvade.datasets.read_manifest(shared_data).bulk["shenorr_GSE19830"]
    rat = hpvade.io.read_bulk(entry.path, unit=entry.unit)
    rat.var_names = rat.var_names.str.upper()
    rat = rat[:, ~rat.var_names.duplicated()].copy()
    qc = blood_model.deconvolve(rat).qc
    assert qc["flags"].str.contains("incomplete_reference").all()
    assert (qc["unknown"] > 0.8).all()
    for tissue, samples in (("liver", [0, 1, 2]), ("cerebral cortex", [3, 4, 5]), ("lung", [6, 7, 8])):
        assert qc["unknown_like"].iloc[samples].str.startswith(tissue).all()
