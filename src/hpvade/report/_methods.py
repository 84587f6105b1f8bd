"""What was done: the paragraph for a paper, and tables of inputs, units, versions and timings."""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import yaml

from hpvade import __version__
from hpvade.report._sections import PageTable

if TYPE_CHECKING:
    from hpvade.report._results import Results


def cite() -> str:
    """How to cite the software."""
    return (
        f"hpvade {__version__}: cell-type composition of bulk RNA-seq with a hierarchical prototype "
        "variational autoencoder (HP-VADE). The hpvade developers. BSD-3-Clause."
    )


def methods_text(results: Results) -> str:
    """Return a paragraph for the methods of a paper."""
    run, model = results.run, results.model
    bulk, level = run["decisions"]["bulk"], float(run["decisions"]["deconvolve"]["level"])
    n = len(results.fractions)
    text = (
        f"Cell-type fractions of {n:,} bulk sample{'s' * (n > 1)} (unit: {bulk['unit']}) were estimated with "
        f"hpvade {run['versions']['hpvade']}. "
    )
    if model is not None:
        facts, config = model.provenance["reference"], model.config
        text += (
            f"From a single-cell reference of {facts['cells']:,} cells of {len(facts['of_type'])} types, a "
            f"signature matrix over {facts['model_genes']:,} genes was learned with a variational "
            f"autoencoder on single cells and {config.network.members} deconvolution network"
            f"{'s' * (config.network.members > 1)} on {config.simulate.n_mixtures:,} simulated mixtures with "
            f"platform effects (preset {model.settings['preset']}, seed {model.settings['seed']}). The "
            "networks' answer was the prior of a robust fit of the signature to each sample. "
        )
    return text + (
        "Fractions are of cells, corrected for the RNA content of each type. "
        f"{level:.0%} intervals were calibrated on mixtures of held-out cells."
    )


def settings_text(results: Results) -> str:
    """Return all settings as YAML."""
    settings: dict[str, Any] = {"deconvolve": results.run["decisions"]["deconvolve"]}
    if results.model is not None:
        settings = {**results.model.settings, **results.model.config.model_dump(mode="json"), **settings}
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def tables(results: Results) -> list[PageTable]:
    """Return tables of what was read, and of what with."""
    run = results.run
    decisions = run["decisions"]
    bulk = decisions["bulk"]
    overlap = results.qc["gene_overlap"]
    command = [PurePath(run["command"][0]).name, *run["command"][1:]]
    facts = [
        ["command", shlex.join(command)],
        ["started", run["started"]],
        ["format of the bulk table", bulk.get("format", "made in memory")],
        ["orientation", bulk.get("orientation", "samples x genes")],
        ["unit", f"{bulk['unit']} ({bulk.get('unit_given_or_detected', 'given')})"],
        ["transformed", bulk.get("transform", "none")],
        *(["note", note] for note in bulk.get("notes", [])),
        ["genes of the model that the table has", f"{decisions['genes_used']:,} ({overlap.min():.1%})"],
        ["seed", str(run["seed"])],
        ["peak memory", f"{run['peak_memory_mb']:,} MB"],
        *([f"seconds to {stage}", str(seconds)] for stage, seconds in run["seconds"].items()),
    ]
    inputs = [[PurePath(name).name, digest] for name, digest in run["inputs_sha256"].items()]
    versions = [list(pair) for pair in run["versions"].items()]
    return [
        PageTable("run", "The run", ["what", "value"], facts),
        PageTable("inputs", "Inputs", ["file", "SHA-256"], inputs),
        PageTable("versions", "Versions", ["software", "version"], versions),
    ]
