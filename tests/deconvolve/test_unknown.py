"""Unknown content: cells that the reference lacks are found, named and subtracted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, read_h5ad

import hpvade
from hpvade._errors import InputError
from hpvade._warnings import DataWarning
from hpvade.deconvolve import Deconvolution
from hpvade.deconvolve._excess import log_excess, top_unexplained_genes, usual_excess
from hpvade.jobs._deconvolve import OutputOptions, deconvolve_files
from hpvade.model import deconvolve, expression, save
from hpvade.world import World, read_world, shipped_world

TYPES = "ABCDEX"
HOUSEKEEPING = 6  # a gene that all types express alike
SHARES = (0.0, 0.0, 0.3, 0.6, 0.9)


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
def cells():
    cells = hpvade.testing.tiny_reference(n_cells=60, n_genes=1_500, cell_types=tuple(TYPES))
    cells.var_names = ["HBB" if i == HOUSEKEEPING else name for i, name in enumerate(cells.var_names)]
    return cells


@pytest.fixture(scope="module")
def world(cells):
    """The six types on another platform: each gene is measured with a factor of its own."""
    factor = np.exp(0.6 * np.random.default_rng(5).standard_normal(cells.n_vars))
    sums = np.array([cells[cells.obs["cell_type"] == t].layers["counts"].toarray().sum(0) for t in TYPES])
    level = (sums * factor / (sums * factor).sum(1, keepdims=True) * 2e4).T
    facts = pd.DataFrame(
        {"words": [f"{t} cells" for t in TYPES], "kind": "cells", "rna_content": [1.1, 2.2, 1.0, 4, 5, 6]},
        index=list(TYPES),
    )
    return World(cells.var_names, level.astype(np.float32), facts)


@pytest.fixture(scope="module")
def trained(cells):
    """A model that lacks the last type."""
    known = cells[cells.obs["cell_type"] != "X"].copy()
    hpvade.HPVADE.setup_anndata(known)
    config = {"preprocess": {"n_markers": 60}, "train": {"max_epochs": 3}}
    model = hpvade.HPVADE(known, preset="fast", config=config)
    model.train()
    return model.trained


@pytest.fixture(scope="module")
def bulk(cells):
    """Samples of five known types, and a share of the sixth."""
    rng = np.random.default_rng(0)
    counts = [cells[cells.obs["cell_type"] == t].layers["counts"].toarray() for t in TYPES]
    known = np.array([0.4, 0.2, 0.2, 0.1, 0.1])
    drawn = [rng.multinomial(500, [*((1 - u) * known), u]) for u in SHARES]
    sums = [sum(c[rng.integers(0, len(c), n)].sum(0) for c, n in zip(counts, d, strict=True)) for d in drawn]
    samples = pd.DataFrame({"truth": [d[-1] / 500 for d in drawn]}, index=list("abcde"))
    return AnnData(np.array(sums, np.float64), obs=samples, var=pd.DataFrame(index=cells.var_names))


@pytest.fixture(scope="module")
def answer(trained, bulk, world):
    return deconvolve(trained, bulk, world=world)


def test_the_share_of_cells_that_the_reference_lacks_is_found(answer, bulk):
    np.testing.assert_allclose(answer.qc["unknown"], bulk.obs["truth"], atol=0.2)
    assert answer.qc["unknown"].iloc[:2].max() < 0.03
    assert (
        (answer.qc["unknown_lower"] <= bulk.obs["truth"]) & (bulk.obs["truth"] <= answer.qc["unknown_upper"])
    ).all()
    assert answer.qc["unknown_like"].tolist() == ["", "", "X cells", "X cells", "X cells"]
    shares = answer.qc["unknown_like_share"].iloc[2:].astype(float)
    np.testing.assert_allclose(shares, answer.qc["unknown"].iloc[2:], atol=6e-4)
    assert answer.qc["flags"].str.contains("incomplete_reference").tolist()[:2] == [False, False]
    assert answer.qc["flags"].str.contains("incomplete_reference").iloc[3:].all()


def test_the_known_types_keep_their_proportions(answer):
    known = answer.fractions.drop(columns="unknown")
    relative = known.div(known.sum(axis=1), axis=0)
    np.testing.assert_allclose(relative.iloc[2:4], relative.iloc[[0, 0]], atol=0.08)


def test_fractions_with_unknown_content_sum_to_one(answer, trained, bulk, world):
    for table in (answer.fractions, answer.rna_fractions):
        assert list(table) == [*"ABCDE", "unknown"]
        np.testing.assert_allclose(table.sum(axis=1), 1)
    assert (answer.lower <= answer.fractions + 1e-12).all(axis=None)
    assert (answer.fractions <= answer.upper + 1e-12).all(axis=None)
    plain = deconvolve(trained, bulk, with_unknown=False, world=world)
    known = answer.fractions.drop(columns="unknown")
    np.testing.assert_allclose(known.div(known.sum(axis=1), axis=0), plain.fractions)
    pd.testing.assert_frame_equal(plain.qc, answer.qc)


def test_few_samples_are_answered_the_same_in_any_company(trained, bulk, answer, world):
    for i in (0, 3):
        alone = deconvolve(trained, bulk[[i]], world=world)
        np.testing.assert_allclose(alone.fractions, answer.fractions.iloc[[i]], atol=1e-9)
        assert alone.qc["unknown_like"].iloc[0] == answer.qc["unknown_like"].iloc[i]
    assert answer.looked_for == ()


def test_a_larger_table_says_what_its_samples_hold_together(trained, bulk, world):
    rows = [0, 1, 2, 3, 2, 3]
    many = AnnData(bulk.X[rows], obs=pd.DataFrame(index=[f"s{i}" for i in range(6)]), var=bulk.var)
    answer = deconvolve(trained, many, world=world)
    assert answer.looked_for == ("X cells",)
    backwards = deconvolve(trained, many[::-1].copy(), world=world)
    pd.testing.assert_frame_equal(backwards.fractions.loc[many.obs_names], answer.fractions)


def test_a_table_adapts_the_profile_of_what_its_samples_hold(trained, bulk, cells, world):
    """The profile of the missing type has errors of its own; many samples show them."""
    level = world.level.copy()
    level[:, -1] *= np.exp(0.6 * np.random.default_rng(1).standard_normal(len(level)))
    wrong = World(world.genes, level, world.facts)
    rows = [3, 4] * 3
    many = AnnData(bulk.X[rows], obs=pd.DataFrame(index=[f"s{i}" for i in range(6)]), var=bulk.var)
    alone, together = (deconvolve(trained, table, world=wrong) for table in (many[:2].copy(), many))
    sums = cells[cells.obs["cell_type"] == "X"].layers["counts"].toarray().sum(0)
    true = pd.Series(np.log(sums / sums.sum() * 1e6 + 10), index=cells.var_names)
    found = [np.log(a.unknown_profiles["X cells"] + 10) for a in (alone, together)]
    adapted = (found[1] - found[0]).abs() > 0.05
    true = true[adapted.index]
    errors = [(log[adapted] - true[adapted]).std() for log in found]
    assert errors[1] < 0.9 * errors[0]


def test_what_unknown_cells_resemble_has_a_profile(answer, cells):
    sums = cells[cells.obs["cell_type"] == "X"].layers["counts"].toarray().sum(0)
    profiles = answer.unknown_profiles
    assert list(profiles) == ["X cells"]
    np.testing.assert_allclose(profiles.sum(), 1e6)
    true = pd.Series(sums / sums.sum() * 1e6, index=cells.var_names)[profiles.index]
    assert np.corrcoef(np.log(profiles["X cells"] + 10), np.log(true + 10))[0, 1] > 0.95


def test_the_command_writes_the_profiles(trained, bulk, world, answer, tmp_path):
    save(trained, tmp_path / "model")
    bulk.to_df().T.to_csv(tmp_path / "bulk.tsv", sep="\t")
    pd.DataFrame(world.level, world.genes, world.facts["words"]).to_csv(tmp_path / "world.tsv", sep="\t")
    bulk[:1].to_df().T.to_csv(tmp_path / "first.tsv", sep="\t")
    options = OutputOptions(world=str(tmp_path / "world.tsv"), expression=tmp_path / "parts.h5ad")
    for samples, written in (("bulk.tsv", True), ("first.tsv", False)):
        deconvolve_files(
            tmp_path / "model", tmp_path / samples, tmp_path / "out", options=options, force=True
        )
        assert (tmp_path / "out" / "unknown_profiles.tsv.gz").exists() == written
        if written:
            found = pd.read_csv(tmp_path / "out" / "unknown_profiles.tsv.gz", sep="\t", index_col=0)
            pd.testing.assert_frame_equal(found, answer.unknown_profiles, rtol=1e-4, check_names=False)
            parts = read_h5ad(tmp_path / "parts.h5ad")
            same = read_world(tmp_path / "world.tsv")  # without RNA contents
            fractions = deconvolve(trained, bulk, world=same).fractions
            expected = expression(trained, bulk, fractions, world=same)
            np.testing.assert_allclose(parts.layers["cpm"], expected.layers["cpm"], rtol=1e-3, atol=1e-3)


def test_haemoglobin_is_no_evidence(trained, bulk, world, answer):
    """Whole blood without depletion consists of it for the most part."""
    undepleted = bulk.copy()
    undepleted.X[:, HOUSEKEEPING] = 2 * bulk.X.sum(1)
    found = deconvolve(trained, undepleted, world=world)
    np.testing.assert_allclose(found.qc["unknown"], answer.qc["unknown"], atol=0.02)


def test_a_bare_profile_of_a_foreign_type_is_flagged(trained, bulk, cells, world):
    pure = cells[cells.obs["cell_type"] == "X"].layers["counts"].toarray().sum(0, keepdims=True)
    sample = AnnData(pure.astype(float), obs=pd.DataFrame(index=["pure"]), var=bulk.var)
    answer = deconvolve(trained, sample, world=world)
    assert answer.fractions["unknown"].iloc[0] > 0.7
    assert "incomplete_reference" in answer.qc["flags"].iloc[0]


def test_a_given_share_replaces_the_estimate(trained, bulk, answer, world):
    purity = pd.Series({"a": 0.25, "d": 0.5})
    given = deconvolve(trained, bulk, world=world, purity=purity)
    for side in ("fractions", "lower", "upper"):
        np.testing.assert_allclose(getattr(given, side).loc[["a", "d"], "unknown"], [0.25, 0.5])
    np.testing.assert_allclose(given.fractions.sum(axis=1), 1)
    np.testing.assert_allclose(given.rna_fractions.sum(axis=1), 1)
    pd.testing.assert_frame_equal(given.fractions.loc[["b", "c", "e"]], answer.fractions.loc[["b", "c", "e"]])
    known = given.fractions.loc["a"].drop("unknown")  # nothing to subtract: the others keep their proportions
    np.testing.assert_allclose(known / known.sum(), answer.fractions.loc["a"].drop("unknown"), atol=1e-6)


def test_without_profiles_there_is_no_column_and_a_purity_is_refused(trained, bulk, world):
    answer = deconvolve(trained, bulk, world=World.empty())
    assert list(answer.fractions) == list("ABCDE")
    assert answer.qc["unknown"].isna().all()
    with pytest.raises(InputError, match="purity"):
        deconvolve(trained, bulk, world=World.empty(), purity=pd.Series({"a": 0.5}))
    with pytest.warns(DataWarning, match="Unknown content is not estimated"):
        deconvolve(trained, bulk)  # genes of the shipped world are not those of this reference
    with pytest.raises(InputError, match="1 of its 1,500 genes are in them"):
        deconvolve(trained, bulk, world=shipped_world())


@pytest.mark.parametrize(
    ("purity", "message"),
    [
        ({"a": 2.0}, "is 2.*Divide"),
        ({"a": -1.0}, "is -1"),
        ({"a": np.nan}, "is nan"),
        ({"a": 1.0}, "below 1"),
    ],
)
def test_a_share_must_be_possible(trained, bulk, world, purity, message):
    with pytest.raises(InputError, match=message):
        deconvolve(trained, bulk, world=world, purity=pd.Series(purity))


def test_the_expression_of_unknown_cells_is_subtracted(trained, bulk, answer, world, cells):
    """Markers of the missing type do not show up in the known types."""
    parts = expression(trained, bulk, answer.fractions, world=world)
    plain = expression(trained, bulk, answer.fractions, world=World.empty())
    sums = np.array([cells[cells.obs["cell_type"] == t].layers["counts"].toarray().sum(0) for t in TYPES])
    share = sums / sums.sum(1, keepdims=True)
    marker = share[-1] > 4 * share[:-1].max(0)
    rows = (parts.obs["sample"] == "d").to_numpy()
    known, naive = (table.layers["counts"][rows][:, marker].sum() for table in (parts, plain))
    assert marker.sum() > 50
    assert known < 0.4 * naive


def test_samples_in_which_no_gene_stands_out_are_not_searched(trained, bulk, world):
    many = AnnData(
        np.hstack([bulk.X, np.full((5, 4_000), bulk.X.mean())]),
        obs=bulk.obs,
        var=pd.DataFrame(index=[*bulk.var_names, *(f"other{i}" for i in range(4_000))]),
    )
    many.X = 1_000 + many.X / many.X.max()
    answer = deconvolve(trained, many, world=world)
    assert answer.qc["flags"].str.contains("flat").all()
    assert (answer.qc["unknown"] == 0).all()
    assert (answer.qc["unknown_upper"] == 1).all()


def test_blocks_are_put_together(answer):
    twice = Deconvolution.concatenate([answer, answer])
    assert twice.looked_for == answer.looked_for
    assert len(twice.qc) == 2 * len(answer.qc)
