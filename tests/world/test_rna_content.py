"""Published RNA contents, and what they change in those of a reference."""

from __future__ import annotations

import numpy as np
import pytest

from hpvade.world import expected_content, shipped_world
from hpvade.world._rna_content import named_cells, published_content

NO_SYMBOLS = np.array([f"GENE{i}" for i in range(50)])


def expected(content: dict[str, float], *, measured_sd: float = 0.35, symbols=NO_SYMBOLS):
    """Expected content of types with these measured contents, spread evenly over genes."""
    counts = np.tile(np.array(list(content.values())) / 50, (50, 1))
    return expected_content(counts, list(content), symbols=symbols, measured_sd=measured_sd)


@pytest.mark.parametrize(
    ("label", "cells"),
    [
        ("CD14+ Mono", "monocyte"),
        ("TAM", "macrophage"),
        ("T cells CD4 conv", "CD4 T"),
        ("naivecytotoxic", "CD8 T"),
        ("Tregs", "regulatory T"),
        ("gamma-delta T cells", "gamma-delta T"),
        ("B_Plasma", "plasma"),
        ("pDC", "plasmacytoid dendritic"),
        ("DC", "myeloid dendritic"),
        ("PMN", "neutrophil"),
        ("tumor-associated macrophage", "macrophage"),
        ("mucosal invariant T cell", "MAIT"),
        ("γδ T", "gamma-delta T"),
        *((label, "") for label in ("Platelet", "gamma", "Hepatocyte", "cluster 7")),
        *((label, None) for label in ("T/NK", "NKT", "Mono-mac", "CD4 CTL", "Granulocytes")),
        *((label, None) for label in ("Cycling T", "malignant B", "ALL blasts", "B-cell lymphoma", "Tumor")),
        *((label, None) for label in ("Mast", "ILC", "Pro-B", "monocyte progenitor", "non-B", "doublets")),
    ],
)
def test_labels_name_cells(label, cells):
    assert named_cells(label) == cells


def test_the_mean_of_the_tables_is_geometric_and_few_tables_are_trusted_less():
    published = published_content()
    monocyte = [1.4196 / 0.3952, 130.7 / 63.9, 22585 / 14972, 2]
    assert np.exp(published.loc["monocyte", "log_mean"]) == pytest.approx(np.prod(monocyte) ** 0.25)
    assert published.loc["CD4 T", "log_mean"] == 0
    assert published["log_sd"].between(0.2, 0.75).all()
    assert published.loc["plasma", "log_sd"] > published.loc["monocyte", "log_sd"]  # they disagree


def test_the_result_is_the_posterior_mean():
    measured = {"Monocytes": 1000.0, "CD4 T": 900.0, "B cells": 800.0, "Tumour": 5000.0}
    found = expected(measured)
    # The oracle: the posterior of (c, θ) as a linear least-squares problem.
    prior = published_content().loc[["monocyte", "CD4 T", "B"]]
    rows, values = [], []
    for k, (log_mean, log_sd) in enumerate(prior[["log_mean", "log_sd"]].to_numpy()):
        unit = np.eye(3)[k]
        rows += [np.r_[1, unit] / 0.35, np.r_[0, unit] / log_sd]
        values += [np.log(list(measured.values())[k]) / 0.35, log_mean / log_sd]
    c, *theta = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    np.testing.assert_allclose(found.content[:3], np.exp(c + np.array(theta)))
    assert found.content[3] == pytest.approx(5000)
    assert found.log_sd[3] == 0.35
    assert (found.log_sd[:3] < 0.35).all()
    assert found.cells == ["monocyte", "CD4 T", "B", ""]


def test_contents_as_published_stay():
    published = {"Monocytes": "monocyte", "CD4 T": "CD4 T", "NK": "NK"}
    measured = {
        label: 700 * np.exp(published_content().loc[cells, "log_mean"]) for label, cells in published.items()
    }
    np.testing.assert_allclose(expected(measured).content, list(measured.values()))


@pytest.mark.parametrize(
    ("content", "symbols"),
    [
        ({"CD4 T": 500.0, "Tumour": 900.0}, NO_SYMBOLS),  # a ratio needs two
        ({"Monocytes": 500.0, "CD4 T": 900.0}, np.char.capitalize(np.char.lower(NO_SYMBOLS))),  # mouse
    ],
)
def test_otherwise_all_types_are_left_as_measured(content, symbols):
    found = expected(content, symbols=symbols)
    np.testing.assert_allclose(found.content, list(content.values()))
    assert (found.log_sd == 0.35).all()
    assert not any(found.cells)


@pytest.mark.parametrize(
    ("label", "cells"),
    [
        ("cluster 7", "monocyte"),  # by its expression
        ("NK cells", "monocyte"),  # the label is contradicted
        ("Monocytes", "monocyte"),
        ("AML blasts", ""),  # the label says that they are other cells
    ],
)
def test_expression_speaks_where_the_label_does_not(label, cells):
    world = shipped_world()
    names = ["classical_monocyte", "naive_B_cell", "naive_CD4_T_cell"]
    level = world.level[:, [list(world.facts.index).index(name) for name in names]].astype(float)
    found = expected_content(
        level, [label, "B", "CD4 T"], symbols=world.genes.to_numpy(str), measured_sd=0.35
    )
    assert found.cells == [cells, "B", "CD4 T"]
