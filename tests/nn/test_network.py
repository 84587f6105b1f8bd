from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

import hpvade
from hpvade.nn import (
    Batch,
    DeconvolutionNetwork,
    HPVADENetwork,
    LearnableSignature,
    LossWeights,
    NetworkConfig,
    loss_terms,
)
from hpvade.pp import cpm_to_log, preprocess, reference_signature, rna_fractions, signature

RNG = np.random.default_rng(0)
S = RNG.gamma(0.3, 1, (40, 3)) * (RNG.random((40, 3)) > 0.2)
S = S / S.sum(0) * 1e6
M = np.array([100.0, 300.0, 50.0])


def make_batch(cells=6, mixtures=4):
    p = RNG.dirichlet(np.ones(3), mixtures)
    bulk = torch.from_numpy(rna_fractions(p, M) @ S.T).float()
    return Batch(
        cells=torch.from_numpy(RNG.uniform(0, 5, (cells, 40))).float(),
        cell_type=torch.from_numpy(RNG.integers(0, 3, cells)),
        bulk=bulk,
        mixture=bulk,
        fractions=torch.from_numpy(p).float(),
    )


def make_network(**settings):
    return HPVADENetwork(
        torch.from_numpy(S).float(),
        rna_content=torch.from_numpy(M).float(),
        mean_log=torch.zeros(40),
        trust=torch.ones(40),
        config=NetworkConfig(**settings),
    )


class TestSignature:
    def test_starts_exactly_at_the_data(self):
        learnable = LearnableSignature(torch.from_numpy(S), rna_content=torch.from_numpy(M))
        np.testing.assert_allclose(learnable.cpm().detach(), S, rtol=1e-12)

    def test_non_negative_columns_sum_and_zeros_stay_for_any_change(self):
        learnable = LearnableSignature(torch.from_numpy(S), rna_content=torch.from_numpy(M))
        with torch.no_grad():
            learnable.log_change.copy_(torch.from_numpy(RNG.normal(0, 3, S.shape)))
        cpm = learnable.cpm().detach().numpy()
        assert (cpm >= 0).all()
        np.testing.assert_allclose(cpm.sum(0), 1e6)
        assert ((cpm == 0) == (S == 0)).all()

    def test_mixing_is_linear_in_rna_fractions(self):
        learnable = LearnableSignature(torch.from_numpy(S), rna_content=torch.from_numpy(M))
        p = RNG.dirichlet(np.ones(3), 5)
        weighted = p * M
        expected = (weighted / weighted.sum(1, keepdims=True)) @ S.T
        np.testing.assert_allclose(learnable.mix(torch.from_numpy(p)).detach(), expected)

    def test_gradient_reaches_expressed_genes(self):
        learnable = LearnableSignature(torch.from_numpy(S), rna_content=torch.from_numpy(M))
        cpm_to_log(learnable.cpm()).sum().backward()
        assert (learnable.log_change.grad[torch.from_numpy(S > 0)] != 0).any()


class TestDeconvolutionNetwork:
    def test_fractions_of_every_member_sum_to_one(self):
        p = make_network(members=4).deconvolution(make_batch().bulk)
        assert p.shape == (4, 4, 3)
        np.testing.assert_allclose(p.detach().sum(-1), 1, rtol=1e-6)

    def test_missing_gene_is_the_same_as_a_gene_at_its_mean(self):
        center = torch.rand(40) * 3
        trust = torch.linspace(0.1, 1, 40)
        network = DeconvolutionNetwork(40, 3, config=NetworkConfig(), mean_log=center, trust=trust).eval()
        bulk = make_batch().bulk
        mask = torch.ones(40)
        mask[:10] = 0
        at_mean = bulk.clone()
        at_mean[:, :10] = 100 * torch.expm1(center[:10])
        torch.testing.assert_close(network(bulk, mask), network(at_mean))

    def test_gene_without_trust_has_no_effect(self):
        trust = torch.ones(40)
        trust[:10] = 0
        network = DeconvolutionNetwork(
            40, 3, config=NetworkConfig(), mean_log=torch.ones(40), trust=trust
        ).eval()
        bulk = make_batch().bulk
        changed = bulk.clone()
        changed[:, :10] *= 5
        torch.testing.assert_close(network(bulk), network(changed))

    def test_the_network_of_the_original_preset_reads_cpm(self):
        network = DeconvolutionNetwork(
            40,
            3,
            config=NetworkConfig(input_space="cpm", layer_norm=False),
            mean_log=torch.ones(40),
            trust=torch.ones(40),
        ).eval()
        bulk = make_batch().bulk
        expected = network.members[0](bulk).softmax(-1)
        torch.testing.assert_close(network(bulk)[0], expected)


class TestLoss:
    def test_total_is_the_weighted_sum(self):
        network = make_network().eval()
        batch = make_batch()
        terms = loss_terms(
            network(batch), batch, weights=LossWeights(), bulk_space="log", membership=network.membership
        )
        expected = (
            terms.loss_recon
            + 0.01 * terms.loss_kl
            + 0.1 * terms.loss_proto
            + 5 * (terms.loss_prop + 10 * terms.loss_bulk_recon)
        )
        torch.testing.assert_close(terms.loss, expected)

    def test_bulk_reconstruction_uses_unclamped_fractions(self):
        network = make_network().eval()
        output = network(make_batch())
        torch.testing.assert_close(output.reconstructed_bulk, network.signature.mix(output.fractions))

    def test_perfect_fractions_reconstruct_the_mixture(self):
        batch = make_batch()
        rebuilt = make_network().signature.mix(batch.fractions)
        # Single precision on sums of up to 1e6 CPM
        torch.testing.assert_close(rebuilt, batch.mixture, rtol=1e-4, atol=0.5)

    def test_latent_is_sampled_in_training_only(self):
        network, batch = make_network(), make_batch()
        torch.testing.assert_close(network.eval()(batch).reconstruction, network.eval()(batch).reconstruction)
        network.train()
        assert not torch.equal(network(batch).reconstruction, network(batch).reconstruction)


def test_prototype_is_the_log_profile_of_the_same_counts():
    counts = RNG.poisson(2, (20, 15)).astype(np.float32)
    result = signature(sp.csr_matrix(counts), ["A"] * 20, genes=[str(i) for i in range(15)])
    learnable = LearnableSignature(
        torch.from_numpy(result.cpm), rna_content=torch.ones(1, dtype=torch.float64)
    )
    sums = counts.astype(float).sum(0)
    np.testing.assert_allclose(
        learnable.prototypes(torch.zeros(0, 1, 1, dtype=torch.float64))[0, 0].detach(),
        np.log1p(sums / sums.sum() * 1e4),
        rtol=1e-9,
    )


def test_scale_of_the_prototype_loss_on_real_data(shared_data):
    """With S left in CPM, the comparison mixes two spaces and explodes; in log space it stays near 1."""
    cells = hpvade.io.read_reference(shared_data / "reference/pbmc3k/sc_pbmc3k.h5ad")
    cells = cells[cells.obs["cell_type"] != "unassigned"].copy()
    prepared = preprocess(cells)
    panel = prepared[:, prepared.var["selected"]]
    data = reference_signature(prepared).model_genes
    types = panel.obs["cell_type"].cat.categories.get_indexer(panel.obs["cell_type"])[:500]
    log = hpvade.pp.counts_to_log(panel.layers["counts"][:500]).toarray()
    learnable = LearnableSignature(
        torch.from_numpy(data.cpm), rna_content=torch.ones(len(data.cell_types), dtype=torch.float64)
    )
    in_log_space = (
        (log - learnable.prototypes(torch.zeros(0, 9, 9, dtype=torch.float64))[0].detach().numpy()[types])
        ** 2
    ).mean()
    in_cpm = ((log - data.cpm.T[types]) ** 2).mean()
    assert 0.1 < in_log_space < 10
    assert in_cpm > 1e6
    assert list(panel.obs["cell_type"].cat.categories) == list(data.cell_types)


@pytest.mark.parametrize("space", ["log", "cpm"])
def test_rna_content_can_be_left_out(space):
    network = make_network(use_rna_content=False, reconstruction_space=space)
    p = RNG.dirichlet(np.ones(3), 2)
    rebuilt = network.signature.mix(torch.from_numpy(p).float()).detach().numpy()
    np.testing.assert_allclose(rebuilt, p @ S.T, rtol=1e-4, atol=0.1)  # single precision on up to 1e6 CPM
