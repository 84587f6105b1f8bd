from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

import hpvade
from hpvade._errors import CountsError, GeneOverlapError, HPVADEError, InputError, LabelError
from hpvade._warnings import DataWarning
from hpvade.model import HPVADE, HPVADEConfig, deconvolve

FAST = {"train": {"max_epochs": 2}, "simulate": {"n_mixtures": 200, "n_heldout": 50, "n_cells": 50}}


def fractions_of(model, bulk):
    return model.deconvolve(bulk.copy()).fractions


def with_settings(model, **changes):
    return replace(model.trained, config=model.trained.config.updated({"deconvolve": changes}))


class TestInvariance:
    """What must not matter to a sample's answer, within 1e-6."""

    def test_order_of_samples(self, trained):
        model, bulk = trained
        order = [3, 0, 5, 1, 4, 2]
        shuffled = fractions_of(model, bulk[order].copy())
        pd.testing.assert_frame_equal(shuffled, fractions_of(model, bulk).iloc[order], atol=1e-6, rtol=0)

    def test_order_of_genes(self, trained):
        model, bulk = trained
        genes = np.random.default_rng(0).permutation(bulk.n_vars)
        shuffled = fractions_of(model, bulk[:, genes].copy())
        pd.testing.assert_frame_equal(shuffled, fractions_of(model, bulk), atol=1e-6, rtol=0)

    def test_scale_of_a_sample(self, trained):
        model, bulk = trained
        scaled = bulk.copy()
        scaled.X[2] *= 7
        pd.testing.assert_frame_equal(
            fractions_of(model, scaled), fractions_of(model, bulk), atol=1e-6, rtol=0
        )

    def test_neighbours(self, trained):
        model, bulk = trained
        alone = pd.concat([fractions_of(model, bulk[[i]].copy()) for i in range(bulk.n_obs)])
        pd.testing.assert_frame_equal(alone, fractions_of(model, bulk), atol=1e-6, rtol=0)

    def test_order_of_genes_in_the_reference(self, reference):
        shuffled = reference[:, np.random.default_rng(0).permutation(reference.n_vars)].copy()
        bulk = hpvade.testing.tiny_bulk(reference)
        answers = []
        for cells in (reference, shuffled):
            model = HPVADE(cells, preset="fast", config=FAST)
            model.train()
            answers.append(fractions_of(model, bulk))
        pd.testing.assert_frame_equal(*answers, atol=1e-6, rtol=0)


class TestAnswer:
    def test_slots_and_sums(self, trained):
        model, bulk = trained
        bulk = bulk.copy()
        result = model.deconvolve(bulk)
        for key in ("fractions", "rna_fractions"):
            assert list(bulk.obsm[key].columns) == ["B", "Monocyte", "T"]
            np.testing.assert_allclose(bulk.obsm[key].sum(1), 1, atol=1e-9)
        assert bulk.obs["reconstruction_r"].between(0.9, 1).all()
        assert bulk.uns["hpvade"]["model"]["seed"] == 3
        expected = bulk.obsm["fractions"] * model.reference_signature.model_genes.rna_content_all
        pd.testing.assert_frame_equal(result.rna_fractions, expected.div(expected.sum(1), axis=0))

    def test_finds_the_composition_of_clean_mixtures(self, trained):
        model, bulk = trained
        error = (fractions_of(model, bulk) - bulk.obsm["fractions"]).abs().to_numpy()
        assert error.mean() < 0.08

    def test_genes_that_the_bulk_lacks_count_as_not_measured(self, trained):
        model, bulk = trained
        part = bulk[:, ::2].copy()
        result = model.deconvolve(part)
        assert result.qc["gene_overlap"].iloc[0] < 0.6
        error = (result.fractions - bulk.obsm["fractions"]).abs().to_numpy()
        assert error.mean() < 0.12

    def test_few_genes_are_flagged(self, trained):
        model, bulk = trained
        result = model.deconvolve(bulk[:, : bulk.n_vars * 45 // 100].copy())
        assert (result.qc["flags"].str.contains("few_genes")).all()

    def test_poor_fit_is_flagged(self, trained):
        model, bulk = trained
        noise = bulk.copy()
        noise.X = np.random.default_rng(0).permutation(noise.X.T).T
        assert model.deconvolve(noise).qc["flags"].str.contains("poor_fit").any()

    def test_ensembl_ids_are_mapped_by_the_reference(self, trained):
        model, bulk = trained
        renamed = bulk.copy()
        renamed.var_names = [f"ENSG{int(name[4:]):011d}.3" for name in bulk.var_names]
        pd.testing.assert_frame_equal(fractions_of(model, renamed), fractions_of(model, bulk))

    def test_too_few_shared_genes(self, trained):
        model, bulk = trained
        with pytest.raises(GeneOverlapError):
            model.deconvolve(bulk[:, :20].copy())

    def test_sample_without_expression(self, trained):
        model, bulk = trained
        empty = bulk.copy()
        empty.X[1] = 0
        with pytest.raises(InputError, match="sample_2"):
            model.deconvolve(empty)


class TestPaths:
    def test_without_the_fit_the_network_answers(self, trained):
        model, bulk = trained
        found = deconvolve(with_settings(model, fit=False, subtract_background=False), bulk).fractions
        share = model.reference_signature.model_genes.cpm.mean(1)
        panel = bulk[:, list(model.reference_signature.model_genes.genes)].X
        cpm = torch.from_numpy(panel / panel.sum(1, keepdims=True) * 1e6).float()
        assert np.isclose(share.sum(), 1e6)
        with torch.no_grad():
            expected = model.trained.network.deconvolution(cpm).mean(0).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_the_fit_improves_on_the_network(self, trained):
        model, bulk = trained
        errors = {}
        for fit in (False, True):
            changed = with_settings(model, fit=fit, subtract_background=False)
            errors[fit] = (
                (deconvolve(changed, bulk).fractions - bulk.obsm["fractions"]).abs().to_numpy().mean()
            )
        assert errors[True] < errors[False] / 2

    def test_the_level_of_an_array_does_not_matter(self, trained):
        model, bulk = trained
        silent = pd.DataFrame(0.0, index=bulk.obs_names, columns=[f"SILENT{i}" for i in range(5_000)])
        table = pd.concat([bulk.to_df(), silent], axis=1)
        clean, array = anndata.AnnData(table), anndata.AnnData(table + 1500)
        pd.testing.assert_frame_equal(fractions_of(model, clean), fractions_of(model, array), atol=1e-4)


class TestSeed:
    def test_same_seed_same_answer(self, reference):
        bulk = hpvade.testing.tiny_bulk(reference)
        tables = []
        for seed in (1, 1, 2):
            model = HPVADE(reference, preset="fast", config=FAST, seed=seed)
            model.train()
            tables.append(fractions_of(model, bulk))
        pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)
        assert not tables[0].equals(tables[2])


class TestFolder:
    def test_new_process_gives_identical_bytes(self, trained, tmp_path):
        model, bulk = trained
        model.save(tmp_path / "model")
        bulk.write_h5ad(tmp_path / "bulk.h5ad")
        answer = model.deconvolve(bulk.copy())
        hpvade.results.write_fractions(
            answer.fractions.join(answer.upper, rsuffix=" upper"), tmp_path / "here.tsv"
        )
        code = (
            "import sys, anndata, hpvade; model = hpvade.HPVADE.load(sys.argv[1]);"
            "answer = model.deconvolve(anndata.read_h5ad(sys.argv[2]));"
            "table = answer.fractions.join(answer.upper, rsuffix=' upper');"
            "hpvade.results.write_fractions(table, sys.argv[3]);"
            "assert 'lightning' not in sys.modules and 'scanpy' not in sys.modules"
        )
        arguments = [tmp_path / "model", tmp_path / "bulk.h5ad", tmp_path / "there.tsv"]
        subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=True)
        assert (tmp_path / "here.tsv").read_bytes() == (tmp_path / "there.tsv").read_bytes()

    def test_files_hold_no_pickle(self, trained, tmp_path):
        model, _ = trained
        model.save(tmp_path / "model")
        names = {path.name for path in (tmp_path / "model").iterdir()}
        assert names == {
            "weights.safetensors",
            "config.json",
            "genes.tsv",
            "validation.tsv",
            "provenance.json",
        }

    def test_loaded_model_needs_its_reference_to_train(self, trained, tmp_path):
        model, _ = trained
        model.save(tmp_path)
        with pytest.raises(HPVADEError, match="no reference to train on"):
            HPVADE.load(tmp_path).train()

    def test_training_goes_on_from_a_folder(self, reference, tmp_path):
        bulk = hpvade.testing.tiny_bulk(reference)[:, :120].copy()
        model = HPVADE(reference, preset="fast", config=FAST, bulk=bulk)
        model.train()
        model.save(tmp_path)
        again = HPVADE.load(tmp_path, reference=reference)
        again.history = model.history
        assert again.train(max_epochs=1)
        assert again.history["epoch"].tolist() == [0, 1, 2]
        assert again.reference_signature.model_genes.genes == model.reference_signature.model_genes.genes
        best = again.history["val_loss_prop"].min()
        assert best <= model.history["val_loss_prop"].min()

    def test_going_on_never_makes_it_worse(self, reference, tmp_path):
        model = HPVADE(reference, preset="fast", config=FAST)
        model.train(max_epochs=5)
        before = {name: tensor.clone() for name, tensor in model.trained.network.state_dict().items()}
        model.config = model.config.updated({"train": {"learning_rate": 0.5}})  # every epoch does harm
        model.train(max_epochs=2)
        assert model.history["epoch"].tolist() == [0, 1, 2, 3, 4, 5, 6]
        assert all(before[name].equal(tensor) for name, tensor in model.trained.network.state_dict().items())

    def test_another_reference_is_refused(self, trained, tmp_path):
        model, _ = trained
        model.save(tmp_path)
        other = hpvade.testing.tiny_reference(n_genes=300, cell_types=("B", "NK", "T"))
        with pytest.raises(InputError, match="was trained on another reference"):
            HPVADE.load(tmp_path, reference=other)


class TestReference:
    def test_setup_suggests_the_nearest_column(self, reference):
        with pytest.raises(LabelError, match="Did you mean 'cell_type'"):
            HPVADE.setup_anndata(reference, labels_key="celltype")
        with pytest.raises(LabelError, match="donor_key='doner'"):
            HPVADE.setup_anndata(reference, donor_key="doner")

    def test_problems_are_collected(self, reference):
        labels = reference.obs["cell_type"].astype(object)
        labels.iloc[:3] = np.nan
        labels.iloc[80:117] = "B"
        reference.obs["cell_type"] = labels
        with pytest.raises(LabelError, match="2 problems"):
            HPVADE(reference)

    def test_bulk_restricts_the_genes(self, reference):
        bulk = hpvade.testing.tiny_bulk(reference)[:, :120].copy()
        model = HPVADE(reference, preset="fast", bulk=bulk)
        assert set(model.reference_signature.model_genes.genes) <= set(bulk.var_names)

    def test_signature_starts_at_the_data(self, reference):
        model = HPVADE(reference, preset="fast")
        np.testing.assert_allclose(model.signature, model.reference_signature.model_genes.cpm, rtol=1e-5)
        np.testing.assert_allclose(model.signature.sum(), 1e6)


class TestConfig:
    def test_changes_are_checked(self):
        with pytest.raises(
            InputError, match=r"no setting 'train.max_epoch'. Did you mean 'train.max_epochs'"
        ):
            HPVADEConfig().updated({"train": {"max_epoch": 3}})
        with pytest.raises(InputError, match=r"Setting 'network.members'.*Got 0"):
            HPVADEConfig().updated({"network": {"members": 0}})
        with pytest.raises(InputError, match="no setting 'nonsense'"):
            HPVADEConfig().updated({"nonsense": {"members": 0}})
        with pytest.raises(InputError, match=r"no longer a setting of the model\. Use --coverage"):
            HPVADEConfig().updated({"deconvolve": {"level": 0.8}})

    def test_unknown_preset(self, reference):
        with pytest.raises(InputError, match=r"no preset 'best'\. Presets: default, original, fast"):
            HPVADE(reference, preset="best")


class TestBulkOfTheUser:
    """An AnnData that did not come from read_bulk is checked like a file."""

    def test_sparse_is_the_same_as_dense(self, trained):
        model, bulk = trained
        sparse = bulk.copy()
        sparse.X = scipy.sparse.csr_matrix(bulk.X)
        pd.testing.assert_frame_equal(fractions_of(model, sparse), fractions_of(model, bulk))

    @pytest.mark.parametrize("value", [-2.0, np.nan, np.inf])
    def test_impossible_values_name_sample_and_gene(self, trained, value):
        model, bulk = trained
        bad = bulk.copy()
        bad.X[1, 4] = value
        with pytest.raises(CountsError, match=rf"sample 'sample_2', gene '{bad.var_names[4]}'"):
            model.deconvolve(bad)

    def test_no_samples(self, trained):
        model, bulk = trained
        with pytest.raises(InputError, match="contains no samples"):
            model.deconvolve(bulk[:0].copy())

    def test_logged_is_told(self, trained):
        model, bulk = trained
        logged = bulk.copy()
        logged.X = np.log2(bulk.X + 1)
        with pytest.warns(DataWarning, match="looks log-transformed"):
            model.deconvolve(logged)


@pytest.mark.parametrize("spoil", [np.log1p, np.negative])
def test_reference_whose_counts_are_none(reference, spoil):
    reference.layers["counts"].data = spoil(reference.layers["counts"].data)
    with pytest.raises(CountsError, match="contains no raw counts"):
        HPVADE(reference)


def test_model_of_few_genes_can_be_used(reference):
    model = HPVADE(reference, preset="fast", config={**FAST, "preprocess": {"n_markers": 8}})
    assert len(model.reference_signature.model_genes.genes) < 100
    model.train(max_epochs=1)
    model.deconvolve(hpvade.testing.tiny_bulk(reference))


def test_a_column_named_selected_is_no_preparation(reference):
    reference.var["selected"] = True
    assert HPVADE(reference, preset="fast").prepared.obs["split"].nunique() == 2


def test_no_sample_at_all(trained):
    model, bulk = trained
    with pytest.raises(InputError, match="contains no samples"):
        model.deconvolve(bulk[:0].copy())


@pytest.mark.parametrize("coverage", [0, 1, -0.5, 90])
def test_coverage_out_of_range(trained, coverage):
    model, bulk = trained
    with pytest.raises(InputError, match="must be between 0 and 1"):
        model.deconvolve(bulk.copy(), coverage=coverage)


def test_coverage_changes_the_intervals_and_nothing_else(trained):
    model, bulk = trained
    wide, narrow = (model.deconvolve(bulk.copy(), coverage=coverage) for coverage in (0.9, 0.5))
    pd.testing.assert_frame_equal(wide.fractions, narrow.fractions, check_exact=True)
    width = (wide.upper - wide.lower) - (narrow.upper - narrow.lower)
    assert (width >= 0).all(axis=None)
    assert (width > 0).any(axis=None)


def test_a_model_before_training_cannot_be_used_or_saved(reference, tmp_path):
    model = HPVADE(reference, preset="fast")
    for use in (lambda: model.deconvolve(hpvade.testing.tiny_bulk(reference)), lambda: model.save(tmp_path)):
        with pytest.raises(HPVADEError, match="not trained yet"):
            use()


def test_the_original_preset_keeps_its_earlier_name(reference):
    old, new = (HPVADE(reference, preset=name) for name in ("seed", "original"))
    assert old.config == new.config
    assert old.settings == new.settings


def test_training_further_leaves_the_earlier_model_as_it_is(reference):
    model = HPVADE(reference, preset="fast", config=FAST)
    model.train(max_epochs=1)
    earlier = model.trained
    before = {name: tensor.clone() for name, tensor in earlier.network.state_dict().items()}
    model.train(max_epochs=2)
    assert model.trained is not earlier
    assert all(before[name].equal(tensor) for name, tensor in earlier.network.state_dict().items())
