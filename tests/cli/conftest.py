from __future__ import annotations

from types import SimpleNamespace

import pytest

import hpvade
from hpvade.cli import main

QUICK = """\
preset: fast
train: {max_epochs: 2}
simulate: {n_mixtures: 200, n_heldout: 50, n_cells: 50}
"""


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A reference, a bulk table, its truth, and quick settings, as files."""
    folder = tmp_path_factory.mktemp("files")
    cells = hpvade.testing.tiny_reference(n_genes=200)
    cells.write_h5ad(folder / "reference.h5ad")
    bulk = hpvade.testing.tiny_bulk(cells)
    bulk.to_df().T.to_csv(folder / "bulk.tsv", sep="\t")
    bulk.obsm["fractions"].to_csv(folder / "truth.tsv", sep="\t", index_label="sample")
    (folder / "quick.yaml").write_text(QUICK)
    (folder / "small.yaml").write_text(QUICK.replace("preset: fast\n", ""))
    return SimpleNamespace(
        folder=folder,
        reference=folder / "reference.h5ad",
        bulk=folder / "bulk.tsv",
        truth=folder / "truth.tsv",
        quick=folder / "quick.yaml",
        small=folder / "small.yaml",
    )


@pytest.fixture
def hpv(capsys):
    """Run a command; returns its exit code, stdout and stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=stop.value.code or 0, out=out, err=err)

    return call
