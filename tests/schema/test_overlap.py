"""The genes that a bulk table shares with a reference."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hpvade._errors import GeneOverlapError
from hpvade.io import match_genes
from hpvade.schema import check_overlap


def bulk_with(names) -> AnnData:
    return AnnData(np.ones((2, len(names))), var=pd.DataFrame(index=list(names)))


def genes(n, *, prefix="GENE"):
    return [f"{prefix}{i}" for i in range(n)]


@pytest.mark.parametrize(
    ("shared", "others", "wanted", "ok"),
    [
        (100, 400, 500, True),
        (99, 1, 100, False),
        (100, 1_000, 503, False),  # a fifth is missed
        (0, 500, 500, False),
        (450, 0, 20_000, True),  # a panel of genes
        (10_000, 0, 55_000, True),  # the expressed genes, and an atlas with all names
        (121, 24_000, 24_248, False),  # what mouse and human symbols happen to share
    ],
)
def test_overlap_needs_a_hundred_genes_and_a_fifth_of_the_smaller_set(shared, others, wanted, ok):
    report = check_overlap(bulk_with(genes(shared) + genes(others, prefix="OTHER")), genes(wanted))
    assert report.ok is ok
    assert report.facts["shared_genes"] == shared
    assert report.facts["shared_genes_share"] == pytest.approx(shared / wanted)


def test_overlap_error_shows_examples_of_both_sides():
    report = check_overlap(bulk_with(genes(150, prefix="x")), genes(150, prefix="y"))
    with pytest.raises(
        GeneOverlapError, match="gene names like 'x0', 'x1', 'x2', the reference like 'y0', 'y1', 'y2'"
    ):
        report.raise_if_errors()


def test_overlap_hints_at_ensembl_against_symbols():
    ids = genes(150, prefix="ENSG0000")
    (problem,) = check_overlap(bulk_with(ids), genes(150)).errors
    assert "The bulk seems to have Ensembl IDs and the reference symbols" in problem.message
    (problem,) = check_overlap(bulk_with(genes(150)), ids).errors
    assert "The reference seems to have Ensembl IDs and the bulk symbols" in problem.message


def test_overlap_after_mapping_by_the_references_own_column():
    ids = [f"ENSG0000{i}.{i % 9}" for i in range(150)]
    var = pd.DataFrame({"gene_ids": [i.split(".")[0] for i in ids]}, index=genes(150))
    assert check_overlap(match_genes(bulk_with(ids), var), var.index).ok


def test_overlap_hints_at_another_species():
    (problem,) = check_overlap(bulk_with(genes(150, prefix="Gene")), genes(150)).errors
    assert "if case is ignored" in problem.message
