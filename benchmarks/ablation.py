"""Accuracy on real bulk samples if a part of the model is left out or changed.

    python benchmarks/ablation.py DATA_DIR results.tsv [--seeds 0 1 2]

DATA_DIR is the one of `hpvade benchmark`, with `manifest-tissues.json`. Each reference is trained once for
every change of the training. Takes about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

import hpvade
from hpvade.datasets import read_manifest, scored_columns
from hpvade.io import read_bulk
from hpvade.jobs.benchmark._fit import load_reference
from hpvade.jobs.benchmark._plan import make_plan
from hpvade.model import deconvolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from hpvade.datasets import BulkEntry
    from hpvade.jobs.benchmark._plan import BenchmarkReference
    from hpvade.model import TrainedModel

TRAINING = {
    "one state per cell type": {"preprocess": {"n_states": 1}},
    "equal trust in all genes": {"preprocess": {"n_markers": 0, "n_genes": 2_000}},
    "RNA content": {"network": {"use_rna_content": False}},
    "platform effects in the mixtures": {"simulate": {"platform_width": 0.0}},
    "heavy tails of the platform effects": {"simulate": {"platform_tail": 0.0}},
    "mixtures that lack some cell types": {"simulate": {"sparse": 0.0}},
    "dropout of genes": {"network": {"input_dropout": 0.0}},
    "normalised layers": {"network": {"layer_norm": False}},
    "three networks": {"network": {"members": 3}},
    "5,000 mixtures, 10 epochs": {"simulate": {"n_mixtures": 5_000}, "train": {"max_epochs": 10}},
    "500 mixtures, 2 epochs": {"simulate": {"n_mixtures": 500}, "train": {"max_epochs": 2}},
}
DECONVOLUTION = {
    "fit": {"fit": False},
    "network's estimate as prior": {"prior_strength": 0.0},
    "prior five times as strong": {"prior_strength": 1.0},
    "background not subtracted": {"subtract_background": False},
    "full weight for outlying genes": {"outlier": None},
    "noise floor of 10 CPM": {"noise_floor": 10.0},
    "noise floor of 50 CPM": {"noise_floor": 50.0},
}
TISSUES = (
    "melanoma_ln_GSE93722",
    "lung_cellmix9",
    "lung_cellmix90",
    "lung_rnamix_celseq2",
    "lung_rnamix_sortseq",
)


class Change(NamedTuple):
    """A part of the model that is left out or changed, and how it is trained and used then."""

    name: str
    training: dict[str, Any]
    deconvolution: dict[str, Any]
    with_unknown: bool = True


CHANGES = [
    Change("default", {}, {}),
    Change("unknown content not subtracted", {}, {}, with_unknown=False),
    *(Change(name, {}, settings) for name, settings in DECONVOLUTION.items()),
    *(Change(name, settings, {}) for name, settings in TRAINING.items()),
]


def ablation(data: Path, *, seeds: Sequence[int]) -> pd.DataFrame:
    """Score all changes on all pairs of blood, tissues and cell lines."""
    rows = []
    for kind, name, datasets in (
        ("blood", "manifest.json", ()),
        ("tissues", "manifest-tissues.json", TISSUES),
    ):
        manifest = read_manifest(data / name)
        plan = make_plan(manifest, datasets=datasets)
        for reference in plan.references.values():
            cells = load_reference(reference)
            sets = {dataset: plan.bulk[dataset] for used, dataset in plan.pairs if used == reference.name}
            bulks = [read_bulk(e.path, unit=e.unit, genes=cells.var_names) for e in sets.values()]
            for seed in seeds:
                trained = None
                for change in CHANGES:
                    if trained is None or change.training:
                        model = hpvade.HPVADE(cells.copy(), config=change.training, seed=seed)
                        model.train(accelerator="cpu")
                        trained = model.trained
                    settings = {"deconvolve": change.deconvolution}
                    used = replace(trained, config=trained.config.updated(settings))
                    for (dataset, entry), bulk in zip(sets.items(), bulks, strict=True):
                        scores = score(used, entry, bulk, reference, with_unknown=change.with_unknown)
                        rows.append((change.name, kind, reference.name, dataset, seed, *scores))
                        print(*rows[-1], flush=True)
    columns = ["change", "kind", "reference", "dataset", "seed", "r", "ccc", "rmse", "r_type"]
    return pd.DataFrame(rows, columns=columns)


def score(
    trained: TrainedModel,
    entry: BulkEntry,
    bulk: AnnData,
    reference: BenchmarkReference,
    *,
    with_unknown: bool,
) -> tuple[float, ...]:
    """Accuracy over the headline types, not rescaled: pooled r, CCC and RMSE, and the mean r per type."""
    answer = deconvolve(trained, bulk.copy(), with_unknown=with_unknown)
    fractions = answer.fractions if entry.estimand == "cells" else answer.rna_fractions
    truth = hpvade.results.read_fractions(entry.truth)
    columns = scored_columns(entry, reference.coarse)
    found = hpvade.metrics.evaluate(fractions, truth, mapping=columns, n_bootstrap=0)
    return found.pooled["r"], found.pooled["ccc"], found.pooled["rmse"], found.summary["r_type"]


def main() -> None:
    """Measure, and print means over pairs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    table = ablation(arguments.data, seeds=arguments.seeds)
    table.to_csv(arguments.output, sep="\t", index=False, float_format="%.4f")
    figures = table.groupby(["kind", "change"], sort=False)
    means = figures[["r", "ccc", "rmse", "r_type"]].mean().assign(lowest=figures["ccc"].min())
    print(means.round(3).to_string())


if __name__ == "__main__":
    main()
