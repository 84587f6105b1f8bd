"""The main job on embedded data, with a truth to compare with: the job of ``hpvade demo``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpvade import _keys
from hpvade.datasets import pbmc68k_reduced
from hpvade.io import output_dir, sha256
from hpvade.jobs._compare import compare_with_baselines
from hpvade.jobs._report import write_report
from hpvade.jobs._train import TrainOptions, train_model, write_model
from hpvade.model import COVERAGE, HPVADE, deconvolve
from hpvade.model._prepare import prepare, reference_settings
from hpvade.pp import PreprocessConfig
from hpvade.results import (
    FoundModel,
    Results,
    ResultTables,
    RunRecord,
    own_files,
    write_deconvolution,
    write_fractions,
)
from hpvade.results._files import ACCURACY, MODEL, RUN, TRUTH
from hpvade.simulate import SimulateConfig, simulate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

N_SAMPLES = 100
_DEPTH = (1e6, 3e7)  # reads over the demo's 765 genes


@dataclass(frozen=True, slots=True)
class DemoData:
    """A reference, and bulk samples made of cells that are not in it.

    Attributes
    ----------
    reference
        Four fifths of the embedded cells × genes, set up for `HPVADE`.
    bulk
        Samples × genes, simulated from the other fifth with platform effects and sequencing noise;
        ``obsm["truth"]`` holds the true cell fractions.
    """

    reference: AnnData
    bulk: AnnData


def demo_data(*, seed: int) -> DemoData:
    """Split the embedded cells in two and simulate the demo's bulk from the smaller part."""
    embedded = pbmc68k_reduced()
    every_gene = PreprocessConfig(n_genes=embedded.n_vars)
    prepared = prepare(embedded, reference_settings(embedded) | {"seed": seed}, config=every_gene).cells
    config = SimulateConfig(n_heldout=N_SAMPLES, depth=_DEPTH)
    bulk = simulate(prepared, config=config, split=_keys.HELDOUT, seed=seed)
    bulk.obs_names = [name.replace("mixture", "sample") for name in bulk.obs_names]
    bulk.obsm["truth"] = bulk.obsm.pop(_keys.FRACTIONS).set_axis(bulk.obs_names)
    bulk.uns[_keys.UNS] = {"unit": "cpm", "notes": ["Simulated from held-out cells with platform effects."]}
    reference = embedded[(prepared.obs[_keys.SPLIT] == _keys.TRAIN).to_numpy()].copy()
    HPVADE.setup_anndata(reference)
    return DemoData(reference, bulk)


def demo_files(
    output: Path,
    *,
    train: TrainOptions | None = None,
    seed: int = 0,
    force: bool = False,
    on_stage: Callable[[str], None] = lambda _name: None,
) -> pd.DataFrame:
    """Run the main job on embedded data.

    Returns
    -------
    Methods × metrics on the demo's truth, also written to ``accuracy.tsv``.
    """
    record = RunRecord(seed, on_stage)
    with output_dir(output, own_files=own_files, force=force) as folder:
        with record.stage("read"):
            data = demo_data(seed=seed)
        model, finished = train_model(
            data.reference, bulk=data.bulk, options=train or TrainOptions(), record=record, folder=folder
        )
        if not finished or model.trained is None:
            raise KeyboardInterrupt
        write_model(model, folder)
        with record.stage("deconvolve"):
            answer = deconvolve(model.trained, data.bulk)
        record.decisions |= {
            "bulk": dict(data.bulk.uns[_keys.UNS]),
            "model_sha256": sha256(folder / MODEL),
            "deconvolve": model.trained.config.deconvolve.model_dump(mode="json"),
            "coverage": COVERAGE,
            "with_unknown": answer.fractions.shape[1] > len(model.trained.cell_types),
            "noise_floor": answer.noise_floor,
            "genes_used": int(answer.qc["genes_used"].iloc[0]),
        }
        write_deconvolution(answer, folder)
        truth = data.bulk.obsm["truth"]
        write_fractions(truth, folder / TRUTH)
        accuracy = compare_with_baselines(answer.fractions, truth, model=model, bulk=data.bulk)
        accuracy.to_csv(folder / ACCURACY, sep="\t", index_label="method", float_format="%.4f")
        results = Results.combine(
            ResultTables.from_deconvolution(answer),
            run=record.to_dict(),
            model=FoundModel(model.trained, model.history),
            groups=None,
        )
        with record.stage("report"):
            write_report(results, folder)
        record.write(folder / RUN)
    return accuracy
