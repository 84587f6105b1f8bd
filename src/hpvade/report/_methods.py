"""What was done: the paragraph for a paper, and tables of inputs, units, versions and timings."""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import yaml

from hpvade import __version__
from hpvade.report._sections import PageTable

if TYPE_CHECKING:
    from hpvade.model import HPVADE
    from hpvade.results._results import Results


def cite() -> str:
    """How to cite the software."""
    return (
        f"hpvade {__version__}: cell-type composition of bulk RNA-seq with a hierarchical prototype "
        "variational autoencoder (HP-VADE). The hpvade developers. BSD-3-Clause."
    )


def methods_text(results: Results) -> str:
    """Return a paragraph for the methods of a paper, true to the settings."""
    run, settings = results.run, results.run["decisions"]["deconvolve"]
    n = len(results.fractions)
    text = (
        f"Cell-type fractions of {n:,} bulk sample{'s' * (n > 1)} (unit: {run['decisions']['bulk']['unit']}) "
        f"were estimated with hpvade {run['versions']['hpvade']}. "
    )
    if results.model is not None:
        text += _of_model(results.model)
        fitted = "were the prior of a robust fit of the signature to" if settings["fit"] else "were taken for"
        text += f"The network's answers {fitted} each sample. "
        if results.model.config.network.use_rna_content:
            text += "Fractions are of cells, corrected for the RNA content of each type. "
    return text + f"{results.level:.0%} intervals were calibrated on simulated mixtures of held-out cells."


def _of_model(model: HPVADE) -> str:
    facts, config = model.provenance["reference"], model.config
    n_references, n_members = facts["references"], config.network.members
    reference = "a single-cell reference" if n_references == 1 else f"{n_references} single-cell references"
    network = "a deconvolution network" if n_members == 1 else f"{n_members} deconvolution networks"
    effects = " with platform effects" if config.simulate.platform_width > 0 else ""
    return (
        f"From {reference} of {facts['cells']:,} cells of {len(facts['of_type'])} types, a signature matrix "
        f"over {facts['model_genes']:,} genes was learned with a variational autoencoder on single cells and "
        f"{network} on {config.simulate.n_mixtures:,} simulated mixtures{effects} (preset "
        f"{model.settings['preset']}, seed {model.settings['seed']}). "
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
