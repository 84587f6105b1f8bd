from __future__ import annotations

import numpy as np
import pytest

import hpvade
from hpvade._errors import LabelError
from hpvade.pp import PreprocessConfig, model_genes, preprocess


def test_markers_of_every_type_are_selected(reference):
    prepared = preprocess(reference, config=PreprocessConfig(n_genes=0, n_markers=5))
    chosen = set(prepared.var_names[prepared.var["selected"]])
    for k in range(3):  # the builder gives type k the genes k, k+4, k+8, …
        assert len(chosen & {f"GENE{i}" for i in range(k, 150, 4)}) >= 4


def test_trust_falls_with_the_rank_of_a_marker(reference):
    prepared = preprocess(reference, config=PreprocessConfig(n_markers=5))
    trust = np.sort(prepared.var["trust"][prepared.var["selected"]])
    assert len(trust) <= 15
    assert trust[-1] == 1.0
    steps = np.exp(-4 * np.arange(5) / 5)
    assert np.isclose(trust[:, None], steps).any(1).all()
    assert (prepared.var["trust"][~prepared.var["selected"]] == 0).all()


def test_without_markers_all_chosen_genes_have_the_same_trust(reference):
    prepared = preprocess(reference, config=PreprocessConfig(n_genes=50, n_markers=0))
    assert set(prepared.var["trust"]) == {0.0, 1.0}
    assert prepared.var["selected"].sum() == 50


def test_marker_of_one_reference_only_is_not_chosen():
    one = hpvade.testing.tiny_reference(n_cells=60)
    other = hpvade.testing.tiny_reference(n_cells=60, seed=5)
    counts = one.layers["counts"].tolil()
    counts[(one.obs["cell_type"] == "T").to_numpy(), 3] = 200  # GENE3 is no marker in the other reference
    one.layers["counts"] = counts.tocsr()
    config = PreprocessConfig(n_markers=5)
    assert preprocess(one, config=config).var["trust"]["GENE3"] == 1.0
    both = hpvade.pp.combine_references({"one": one, "other": other}, labels_key="cell_type", donor_key=None)
    assert preprocess(both, config=config).var["trust"]["GENE3"] == 0.0


def test_type_with_one_cell_in_each_reference_gets_no_markers_by_chance():
    cells = hpvade.testing.tiny_reference(n_cells=60)
    parts = {}
    for i in range(3):
        chosen = np.r_[i * 20 : i * 20 + 20, 60 + i * 20 : 80 + i * 20, 120 + i]  # one T cell in each
        parts[f"part{i}"] = cells[chosen].copy()
    both = hpvade.pp.combine_references(parts, labels_key="cell_type", donor_key=None)
    trust = preprocess(both, config=PreprocessConfig(n_markers=5)).var["trust"]
    assert (trust > 0).sum() <= 10


def test_ribosomal_and_mitochondrial_genes_are_left_out(reference):
    names = reference.var_names.to_list()
    names[:3] = ["RPL3", "MT-CO1", "RPS6KA1"]
    reference.var_names = names
    prepared = preprocess(reference)
    assert prepared.var["selected"][["RPL3", "MT-CO1", "RPS6KA1"]].tolist() == [False, False, True]


def test_ribosomal_genes_are_recognised_by_symbol_when_names_are_ids(reference):
    reference.var["feature_name"] = ["RPL3", *reference.var_names[1:]]
    assert not preprocess(reference).var["selected"]["GENE0"]


def test_unprepared_reference_is_refused():
    with pytest.raises(LabelError, match="has not been prepared"):
        model_genes(hpvade.testing.tiny_reference())
