"""Each plot looks like its checked picture; `conftest` explains how to renew the pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hpvade
from hpvade.pl import _latent_umap

LONG = "effector memory CD8-positive, alpha-beta T cell, terminally differentiated"


def make_intervals(fractions):
    return {"lower": (fractions - 0.06).clip(0), "upper": fractions + 0.08}


def test_composition(make_fractions, check_picture):
    fractions = make_fractions(types=("B", "CD4 T", LONG, "unknown"))
    fractions.iloc[4] = np.nan
    check_picture(hpvade.pl.composition(fractions, order="B"), "composition")


def test_composition_of_many(make_fractions, check_picture):
    types = [f"type {i}" for i in range(30)]
    check_picture(hpvade.pl.composition(make_fractions(90, types), order="clustered"), "composition_many")


@pytest.mark.parametrize(("n", "name"), [(12, "fraction_intervals"), (150, "fraction_intervals_many")])
def test_fraction_intervals(n, name, make_fractions, check_picture):
    fractions = make_fractions(n)
    truth = make_fractions(n, seed=1) * 0.2 + fractions * 0.8
    axes = hpvade.pl.fraction_intervals(
        fractions, **make_intervals(fractions), cell_type="CD8 T", truth=truth
    )
    check_picture(axes, name)


def test_predicted_versus_true(make_fractions, check_picture):
    truth = make_fractions(40)
    predicted = truth * 0.7 + make_fractions(40, seed=1) * 0.3
    check_picture(hpvade.pl.predicted_versus_true(predicted, truth), "predicted_versus_true")


def test_predicted_versus_true_of_one_type(make_fractions, check_picture):
    truth = make_fractions(40)
    predicted = truth * 0.7 + make_fractions(40, seed=1) * 0.3
    truth.iloc[3, 1] = np.nan
    axes = hpvade.pl.predicted_versus_true(predicted, truth, cell_type="CD4 T", **make_intervals(predicted))
    check_picture(axes, "predicted_versus_true_type")


def test_calibration(check_picture):
    wanted = np.array([0.25, 0.5, 0.75, 0.9])
    coverage = pd.DataFrame({"all types": wanted - 0.03, "B": wanted**1.3, "T": wanted**0.9}, index=wanted)
    check_picture(hpvade.pl.calibration(coverage), "calibration")


def test_group_fractions(make_fractions, check_picture):
    fractions = make_fractions(24)
    groups = pd.Series(["old", "young", "<middle $x$>"] * 7, index=fractions.index[:21])
    check_picture(hpvade.pl.group_fractions(fractions, groups=groups), "group_fractions")


def test_signature_heatmap(check_picture):
    rng = np.random.default_rng(0)
    genes = [f"GENE{i}" for i in range(60)]
    signature = pd.DataFrame(rng.gamma(0.4, 500, (60, 4)), index=genes, columns=["B", "T", "NK", "Monocyte"])
    check_picture(hpvade.pl.signature_heatmap(signature, n_markers=3), "signature_heatmap")


def test_loss_curves(history, check_picture):
    check_picture(hpvade.pl.loss_curves(history), "loss_curves")


def test_latent_umap(check_picture, monkeypatch):
    # The layout of UMAP may differ between machines; its drawing must not.
    monkeypatch.setattr(_latent_umap, "_lay_out", lambda points, *, seed: points[:, :2])
    rng = np.random.default_rng(0)
    middles = pd.DataFrame([[0, 0, 0], [4, 1, 0], [4.6, 1.2, 0]], index=["B", "T", "NK"])
    labels = np.repeat(list(middles.index), 60)
    cells = middles.loc[labels] + rng.normal(0, 0.4, (180, 3))
    cells.index = [f"cell_{i}" for i in range(180)]
    check_picture(hpvade.pl.latent_umap(cells, labels=labels, prototypes=middles), "latent_umap")


def test_benchmark_summary(check_picture):
    table = pd.DataFrame(
        [
            ("ref", dataset, method, seed, scope, 0.9 - i / 10 - seed / 50, 0.8 - i / 5, 0.7 - i / 5, 0.9)
            for dataset in ("one", "two")
            for i, method in enumerate(("hpvade", "nnls", "mean"))
            for seed in (0, 1)
            for scope in ("mean of types", "pooled")
        ],
        columns=["reference", "dataset", "method", "seed", "scope", "r", "ccc", "ccc_lower", "ccc_upper"],
    )  # fmt: skip
    check_picture(hpvade.pl.benchmark_summary(table)[0, 0], "benchmark_summary")
