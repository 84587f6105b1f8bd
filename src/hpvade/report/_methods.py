"""Methods: a paragraph for a paper, and tables of the run, inputs, versions and settings."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import yaml

from hpvade import __version__
from hpvade.report._numbers import count, listed, percent
from hpvade.report._sections import PageTable

if TYPE_CHECKING:
    from hpvade.model import TrainedModel
    from hpvade.results import Results


def citation() -> str:
    """Return how to cite the software."""
    return (
        f"hpvade {__version__}: cell-type composition of bulk RNA-seq with a hierarchical prototype "
        "variational autoencoder (HP-VADE). The hpvade developers. BSD-3-Clause."
    )


def methods_text(results: Results) -> str:
    """Return a paragraph for the methods section of a paper that follows the settings."""
    run, settings, trained = results.run, results.run["decisions"]["deconvolve"], results.trained
    text = (
        f"Cell-type fractions of {count(len(results.fractions), 'bulk sample')} (unit: "
        f"{_unit(run['decisions']['bulk']['unit'])}) were estimated with hpvade {run['versions']['hpvade']}. "
    )
    if trained is not None:
        several = trained.config.network.members > 1
        estimates = "The mean estimates of the networks" if several else "The estimates of the network"
        robust_fit = "served as the prior for a robust fit of the signature to each sample"
        use = robust_fit if settings["fit"] else "were used as they are"
        text += f"{_training_text(trained)}{estimates} {use}. "
        if trained.config.network.use_rna_content:
            text += f"Fractions refer to cells and were corrected for {_content_text(trained)}. "
    coverage = percent(results.coverage)
    text += f"{coverage} intervals of cell types were calibrated on simulated mixtures of held-out cells."
    if results.qc["unknown"].isna().all():
        return text
    return f"{text} {_unknown_text(results)}"


def _unknown_text(results: Results) -> str:
    """Say how cells that the reference lacks were found."""
    world, purity = (results.run["decisions"].get(name) for name in ("world", "purity"))
    atlas = "the Human Protein Atlas (proteinatlas.org)"
    source = atlas if world is None or "Protein Atlas" in world else PurePath(world).name
    text = (
        f"Cells that the reference lacks were found by fitting profiles of {source}, translated onto the "
        "platform of the reference, together with the known types; what they express was subtracted. Their "
        "interval follows the errors on real samples with cell types left out of the reference."
    )
    if purity:
        text += " The share of these cells was given for some or all samples."
    if looked_for := results.run["decisions"].get("looked_for"):
        text += (
            " Profiles for which the samples together showed evidence were adapted to them and looked for in "
            f"each: {listed(looked_for)}."
        )
    if not results.with_unknown:
        text += " Fractions are shares among the known types."
    return text


def _content_text(trained: TrainedModel) -> str:
    """Name the source of the RNA content."""
    facts = trained.provenance["reference"]["cell_types"]
    if not any(of_type["published_content"] for of_type in facts.values()):
        return "the RNA content of each cell type"
    return (
        "the RNA content of each cell type, a compromise between the reference and published values of "
        "immune cells (EPIC, quanTIseq, ABIS and Kassandra)"
    )


def _training_text(trained: TrainedModel) -> str:
    facts, config, settings = trained.provenance["reference"], trained.config, trained.settings
    n_references, n_members = facts["references"], config.network.members
    reference = "a single-cell reference" if n_references == 1 else f"{n_references} single-cell references"
    networks = (
        "a deconvolution network was"
        if n_members == 1
        else f"an ensemble of {n_members} deconvolution networks was"
    )
    effects = " with platform effects" if config.simulate.platform_width > 0 else ""
    return (
        f"A signature matrix of {count(facts['model_genes'], 'gene')} and "
        f"{count(len(facts['cell_types']), 'cell type')} was learned with a variational autoencoder from "
        f"{reference} ({count(facts['cells'], 'cell')}), and "
        f"{networks} trained on {count(config.simulate.n_mixtures, 'simulated mixture')}{effects} (preset: "
        f"{settings['preset']}; seed: {settings['seed']}). "
    )


def _unit(name: str) -> str:
    """Return a unit with its abbreviations in capitals."""
    return re.sub(r"\b(tpm|cpm|fpkm)\b", lambda match: match[0].upper(), name)


def settings_text(results: Results) -> str:
    """Return all settings as YAML."""
    settings: dict[str, Any] = {"deconvolve": results.run["decisions"]["deconvolve"]}
    trained = results.trained
    if trained is not None:
        settings = {**trained.settings, **trained.config.model_dump(mode="json"), **settings}
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def methods_tables(results: Results) -> list[PageTable]:
    """Return tables of the run, its inputs and the software versions."""
    run = results.run
    decisions = run["decisions"]
    bulk = decisions["bulk"]
    overlap = results.qc["gene_overlap"].min()
    command = [PurePath(run["command"][0]).name, *run["command"][1:]]
    rows = [
        ["Command", shlex.join(command)],
        ["Start time", f"{run['started'][:19].replace('T', ' ')} UTC"],
        ["Format of the bulk table", bulk.get("format", "none (built in memory)")],
        ["Orientation", bulk.get("orientation", "samples x genes")],
        ["Unit", _unit(bulk["unit"])],
        ["Unit source", bulk.get("unit_given_or_detected", "given")],
        ["Transformation", bulk.get("transform", "none")],
        *(["Note", note] for note in bulk.get("notes", [])),
        *(["Note on the reference", note] for note in decisions.get("reference", {}).get("notes", [])),
        ["Noise floor of the table", f"{decisions['noise_floor']:,.0f} CPM"],
        ["Model genes in the bulk table", f"{decisions['genes_used']:,} ({percent(overlap, decimals=1)})"],
        ["Seed", str(run["seed"])],
        ["Peak memory", f"{run['peak_memory_mb']:,} MB"],
        *([f"Time ({stage})", f"{seconds:,.1f} s"] for stage, seconds in run["seconds"].items()),
    ]
    inputs = [[PurePath(name).name, digest] for name, digest in run["inputs_sha256"].items()]
    versions = [list(pair) for pair in run["versions"].items()]
    tables = [PageTable("run", "Run", ["Property", "Value"], rows)]
    if inputs:
        tables.append(PageTable("inputs", "Input files", ["File", "SHA-256"], inputs))
    return [*tables, PageTable("versions", "Software versions", ["Software", "Version"], versions)]
