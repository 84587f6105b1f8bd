"""Which matrix holds the counts: whole numbers that are not counts, parts of counts, corrected counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse
from scipy.stats import rankdata

from hpvade._errors import CountsError
from hpvade.io.reference._find_counts import find_counts

N_CELLS, N_GENES = 80, 400


@pytest.fixture
def counts():
    """Counts as of single cells: genes and cells differ much, most values are small."""
    rng = np.random.default_rng(0)
    share = rng.lognormal(0, 2, N_GENES)
    depth = rng.lognormal(7, 0.6, N_CELLS)
    return rng.poisson(np.outer(depth, share / share.sum())).astype(np.float32)


def log_normalised(counts, total=1e4):
    return np.log1p(counts / counts.sum(1, keepdims=True) * total).astype(np.float32)


def scaled(counts):
    log = log_normalised(counts)
    return (log - log.mean(0)) / (log.std(0) + 1e-6)


def parts_of(counts, *shares):
    """Distribute each count at random over parts."""
    rng = np.random.default_rng(1)
    parts = rng.multinomial(counts.astype(int), shares)
    return [parts[..., i].astype(np.float32) for i in range(len(shares))]


def binned(log, n_bins=51):
    """Bins of equal size in each cell, as for foundation models: ties at random, 0 stays 0."""
    rng = np.random.default_rng(2)
    bins = np.zeros_like(log)
    for cell, values in enumerate(log):
        shown = values > 0
        edges = np.quantile(values[shown], np.linspace(0, 1, n_bins - 1))
        left, right = np.digitize(values[shown], edges), np.digitize(values[shown], edges, right=True)
        bins[cell, shown] = np.ceil(rng.random(shown.sum()) * (left - right) + right)
    return bins


def make(x, **layers):
    names = [f"c{i}" for i in range(N_CELLS)]
    layers = {name: sparse.csr_matrix(values) for name, values in layers.items()}
    return AnnData(x, obs=pd.DataFrame(index=names), layers=layers)


def find(adata, layer=None):
    return find_counts(adata, layer=layer, path=Path("cells.h5ad"))


# whole numbers that are not counts


def ranks(log):
    return np.where(
        log > 0, np.apply_along_axis(rankdata, 1, log, method="ordinal") - (log == 0).sum(1)[:, None], 0
    )


@pytest.mark.parametrize(
    ("transform", "reason"),
    [
        (binned, r"the largest is \d+ in almost every cell"),
        (lambda log: binned(log, 7), "the largest is 5|the largest is 6"),
        (ranks, "ranks of the genes"),
        (np.rint, "they follow X as it is"),
        (
            lambda log: np.digitize(log, np.linspace(0, log.max(), 20)) - 1,
            "they follow X|in almost every cell",
        ),
    ],
    ids=["51 bins", "7 bins", "ranks", "rounded", "levels"],
)
@pytest.mark.parametrize("name", ["X_binned", "counts"])
def test_a_layer_made_of_normalised_values_is_no_counts(counts, transform, reason, name):
    log = log_normalised(counts)
    with pytest.raises(CountsError, match=rf"layers\['{name}'\]: .*(?:{reason})"):
        find(make(log, **{name: transform(log)}))
    found = find(make(log, **{name: transform(log), "umi": counts}))
    assert found.candidate.name == "layers['umi']"
    if name == "counts":
        assert "layers['counts'] does not contain counts" in found.notes[0]


@pytest.mark.parametrize("total", [1e4, 1e6])
def test_rounded_normalised_values_are_no_counts(counts, total):
    values = np.rint(counts / counts.sum(1, keepdims=True) * total)
    with pytest.raises(CountsError, match=r"(?s)normalised: every cell sums to about .*pass --layer X"):
        find(make(values))
    found = find(make(values), "X")
    assert "RNA content" in found.notes[0]
    assert found.corrected


def test_subsampled_counts_are_counts(counts):
    rng = np.random.default_rng(3)
    equal = np.stack([rng.multivariate_hypergeometric(cell.astype(int), 100) for cell in counts])
    found = find(make(equal.astype(np.float32)))
    assert (found.candidate.name, found.notes) == ("X", ())


@pytest.mark.parametrize("share", [1, 0.3, 0.1, 0.03])
@pytest.mark.parametrize("transform", [np.sqrt, log_normalised, np.log2, lambda c: np.log10(1 + c)])
def test_counts_of_any_depth_are_counts_beside_any_transformation(counts, share, transform):
    few = parts_of(counts, share, 1 - share)[0]
    few[:, 0] += 1  # no cell is empty
    with np.errstate(divide="ignore"):
        x = np.maximum(transform(few if transform is not np.log2 else 1 + few), 0)
    found = find(make(x.astype(np.float32), umi=few))
    assert (found.candidate.name, found.notes) == ("layers['umi']", ())


@pytest.mark.parametrize("simulate", ["integers", "poisson"])
def test_simulated_counts_without_zeros_are_counts(simulate):
    rng = np.random.default_rng(6)
    shape = (N_CELLS, 100)
    values = rng.integers(0, 20, shape) if simulate == "integers" else rng.poisson(100, shape)
    found = find_counts(AnnData(values.astype(np.float32)), layer=None, path=Path("cells.h5ad"))
    assert (found.candidate.name, found.notes) == ("X", ())


def test_counts_of_few_molecules_are_counts():
    few = np.eye(N_CELLS, N_GENES, dtype=np.float32)
    few[:20, 0] = 2
    found = find(make(log_normalised(few), umi=few))
    assert (found.candidate.name, found.notes) == ("layers['umi']", ())


# parts of counts


@pytest.fixture
def spliced(counts):
    names = ("ambiguous", "spliced", "unspliced")
    return dict(zip(names, parts_of(counts, 0.05, 0.75, 0.2), strict=True))


def test_the_normalised_matrix_shows_which_layer_holds_the_counts(counts, spliced):
    found = find(make(log_normalised(counts), **spliced, matrix=counts))
    assert found.candidate.name == "layers['matrix']"
    assert "layers['spliced'] (about " in found.notes[0]
    assert "because X holds its normalised values" in found.notes[0]
    assert "--layer" in found.notes[0]
    found = find(make(np.log2(1 + spliced["spliced"]), **spliced, matrix=counts))
    assert found.candidate.name == "layers['spliced']"


def test_genes_of_raw_are_compared_by_name(counts, spliced):
    adata = make(scaled(counts), **spliced, matrix=counts)
    log = np.log2(1 + spliced["spliced"])
    adata.raw = AnnData(log[:, ::-1].copy(), obs=adata.obs, var=adata.var[::-1])
    assert find(adata).candidate.name == "layers['spliced']"


def test_the_sum_of_the_others_is_taken_where_no_normalised_values_are(counts, spliced):
    found = find(make(scaled(counts), **spliced, matrix=counts))
    assert found.candidate.name == "layers['matrix']"
    assert "because it is the sum of the others" in found.notes[0]


def test_a_layer_that_contains_the_others_is_taken(counts):
    found = find(make(scaled(counts), new=parts_of(counts, 0.3, 0.7)[0], total=counts))
    assert found.candidate.name == "layers['total']"
    assert "the others are parts of it" in found.notes[0]


def test_parts_without_their_sum_are_refused(counts, spliced):
    with pytest.raises(CountsError) as caught:
        find(make(scaled(counts), **spliced))
    text = str(caught.value)
    assert "no normalised values show which one was used" in text
    assert "--layer" in text
    assert (
        "layers['counts'] = adata.layers['ambiguous'] + adata.layers['spliced'] + adata.layers['uns" in text
    )
    with pytest.raises(CountsError, match="X holds the normalised values of their sum"):
        find(make(log_normalised(counts), **spliced))
    assert find(make(scaled(counts), **spliced), "spliced").candidate.name == "layers['spliced']"


def test_the_same_counts_twice_are_no_doubt(counts):
    found = find(make(scaled(counts), umi=counts, copy=counts))
    assert (found.candidate.name, found.notes) == ("layers['umi']", ())


def test_x_with_a_part_of_the_counts_gives_way_to_the_sum(counts, spliced):
    found = find(make(spliced["spliced"], **spliced, matrix=counts))
    assert found.candidate.name == "layers['matrix']"
    assert "it is the sum of X, layers['ambiguous'], layers['unspliced']" in found.notes[0]
    assert "--layer X" in found.notes[0]
    found = find(make(counts, spliced=spliced["spliced"], unspliced=spliced["unspliced"]))
    assert (found.candidate.name, found.notes) == ("X", ())


def test_counts_of_more_genes_in_raw_are_mentioned(counts):
    adata = make(counts)
    adata.raw = adata.copy()
    found = find(adata[:, :50].copy())
    assert found.candidate.name == "X"
    assert "pass --layer raw" in found.notes[0]
    assert find(adata).notes == ()


def test_a_layer_that_x_follows_loosely_is_mentioned(counts):
    other = np.random.default_rng(4).permuted(counts, axis=1)
    found = find(make(log_normalised(counts), other=other))
    assert "X follows it only loosely" in found.notes[0]


# corrected counts


@pytest.fixture
def corrected(counts):
    rng = np.random.default_rng(5)
    counts[0, 0] = 200
    return np.where(counts > 0, counts - 0.3 * rng.random(counts.shape), 0).astype(np.float32)


@pytest.mark.parametrize("name", ["counts", "soupx", "X"])
def test_corrected_counts_are_used_if_they_are_named(counts, corrected, name):
    adata = make(corrected) if name == "X" else make(log_normalised(counts), **{name: corrected})
    with pytest.raises(CountsError, match=f"corrected for ambient RNA, pass --layer {name}"):
        find(adata)
    found = find(adata, name)
    assert found.corrected
    assert "not whole numbers" in found.notes[0]


def test_small_corrected_counts_are_told_from_logarithms_by_the_normalised_values(counts):
    few = np.minimum(parts_of(counts, 0.05, 0.95)[0], 20) * 0.9
    few[:, 0] += 0.9
    assert few.max() < 30
    assert find(make(log_normalised(few), soupx=few), "soupx").corrected
    with pytest.raises(CountsError, match="looks log-normalised"):
        find(make(few * 1, log=log_normalised(few)), "log")


@pytest.mark.parametrize("layer", ["X", "X_binned"])
def test_a_named_layer_must_still_be_linear(counts, layer):
    log = log_normalised(counts)
    with pytest.raises(CountsError, match=r"log-normalised|binned"):
        find(make(log, X_binned=binned(log)), layer)


def test_normalised_values_are_used_if_they_are_named(counts):
    cpm = counts / counts.sum(1, keepdims=True) * 1e6
    with pytest.raises(CountsError, match=r"normalised: every cell sums to about 1,000,000"):
        find(make(cpm))
    assert "--rna-content" in find(make(cpm), "X").notes[0]
