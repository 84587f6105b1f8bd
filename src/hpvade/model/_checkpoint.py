"""A model as a folder: weights, settings, genes, provenance. No pickle anywhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from hpvade import _keys
from hpvade._errors import FileFormatError
from hpvade.deconvolve import Calibration
from hpvade.model._config import HPVADEConfig
from hpvade.nn import HPVADENetwork
from hpvade.pp import CellStates, Hierarchy, ReferenceSignature, Signature

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT_VERSION = 8
_DATA_PREFIX = "data."  # what the reference shows, beside the network's own weights
_SIGNATURE = ("cpm", "rna_content")
_STATES = ("cell_type", "log_change")
_CALIBRATION_PREFIX = "calibration."  # absent from a model that was not trained
_HELDOUT = "heldout.tsv"  # absent from a model that was not trained
_GENE_MASKS = (_keys.SELECTED, _keys.ANCHOR)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a model folder holds.

    Attributes
    ----------
    network
        The trained network.
    reference_signature
        The data's S and m over all genes, before training.
    states
        States of the cell types.
    hierarchy
        Levels above the cell types.
    calibration
        Errors on calibration mixtures; None for a model that was not trained.
    heldout
        Answers for new mixtures of the held-out cells, see `hpvade.deconvolve.Validation.table`; empty for a model that
        was not trained.
    aliases
        All genes of the reference with the other names they go by, one row per gene.
    config
        All settings.
    settings
        What the reference was read with: label and donor column, seed, preset.
    provenance
        Versions, inputs, timings.
    """

    network: HPVADENetwork
    reference_signature: ReferenceSignature
    states: CellStates
    hierarchy: Hierarchy
    calibration: Calibration | None
    heldout: pd.DataFrame
    aliases: pd.DataFrame
    config: HPVADEConfig
    settings: dict[str, Any]
    provenance: dict[str, Any]


def build_network(
    signature: Signature,
    config: HPVADEConfig,
    *,
    hierarchy: Hierarchy,
    trust: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> HPVADENetwork:
    """Make an untrained network around a signature; its input is centred when training begins.

    ``trust`` of each gene, shape (n_genes,), is 1 by default. The first weights depend on ``seed`` alone; the
    global random state is left as it was.
    """
    group = [hierarchy.membership(level).argmax(1) for level in hierarchy.levels]
    trust = np.ones(len(signature.genes)) if trust is None else trust
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return HPVADENetwork(
            torch.from_numpy(signature.cpm).float().contiguous(),
            rna_content=torch.from_numpy(signature.rna_content).float(),
            mean_log=torch.zeros(len(signature.genes)),
            trust=torch.from_numpy(trust).float(),
            config=config.network,
            group=torch.from_numpy(np.array(group).reshape(-1, len(signature.cell_types))).long(),
        )


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write a model into a folder: ``weights.safetensors``, and what is around them as text."""
    folder.mkdir(parents=True, exist_ok=True)
    signature = checkpoint.reference_signature
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint.network.state_dict().items()}
    if checkpoint.calibration is not None:
        for name, array in checkpoint.calibration.to_arrays().items():
            tensors[_CALIBRATION_PREFIX + name] = torch.from_numpy(np.ascontiguousarray(array))
    sources: list[tuple[object, tuple[str, ...]]] = [
        (signature.all_genes, _SIGNATURE),
        (checkpoint.states, _STATES),
    ]
    for source, names in sources:
        for name in names:
            tensors[_DATA_PREFIX + name] = torch.from_numpy(np.ascontiguousarray(getattr(source, name)))
    save_file(tensors, folder / "weights.safetensors")
    config = {
        "format_version": FORMAT_VERSION,
        "cell_types": list(signature.all_genes.cell_types),
        "n_references": signature.n_references,
        "levels": checkpoint.hierarchy.table.to_dict(orient="list"),
        "settings": checkpoint.settings,
        "config": checkpoint.config.model_dump(mode="json"),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    genes = checkpoint.aliases.assign(
        **{_keys.SELECTED: signature.selected.astype(int), _keys.ANCHOR: signature.anchor.astype(int)}
    )
    genes.to_csv(folder / "genes.tsv", sep="\t", index_label="gene")
    if not checkpoint.heldout.empty:
        checkpoint.heldout.to_csv(folder / _HELDOUT, sep="\t", index=False, float_format="%.6f")
    (folder / "provenance.json").write_text(json.dumps(checkpoint.provenance, indent=1) + "\n")


def model_folder(folder: Path) -> Path:
    """Return a model's folder: the one that is given, or the model in it if that is an output folder."""
    return folder / "model" if (folder / "model").is_dir() else folder


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a model folder, or an output folder with a model in it.

    Raises
    ------
    FileFormatError
        A file is missing or damaged, or the folder was written in another format.
    """
    folder = model_folder(folder)
    try:
        stored = json.loads((folder / "config.json").read_text())
        if (version := int(stored["format_version"])) != FORMAT_VERSION:
            later = version > FORMAT_VERSION
            remedy = "Upgrade hpvade." if later else "Train the model again."
            msg = (
                f"{folder} was written by {'a later' if later else 'an earlier'} hpvade (format {version}; "
                f"this one reads {FORMAT_VERSION}). {remedy}"
            )
            raise FileFormatError(msg)
        config = HPVADEConfig.model_validate(stored["config"])
        genes = pd.read_csv(
            folder / "genes.tsv", sep="\t", index_col="gene", keep_default_na=False, dtype=str
        )
        tensors = load_file(folder / "weights.safetensors")
        provenance = json.loads((folder / "provenance.json").read_text())
        calibration = _calibration(tensors)
        heldout = pd.DataFrame() if calibration is None else _read_heldout(folder / _HELDOUT)
        arrays = {name: tensors.pop(_DATA_PREFIX + name).numpy() for name in (*_SIGNATURE, *_STATES)}
        states = CellStates(**{name: arrays.pop(name) for name in _STATES})
        hierarchy = Hierarchy(pd.DataFrame(stored["levels"], index=pd.Index(stored["cell_types"])))
        if len(genes) != len(arrays["cpm"]):
            msg = f"genes.tsv has {len(genes)} genes, the weights have {len(arrays['cpm'])}"
            raise ValueError(msg)
        masks = [genes.pop(name).to_numpy() == "1" for name in _GENE_MASKS]
        arrays["rna_content_all"] = arrays["rna_content"]
        whole = Signature(tuple(genes.index), tuple(stored["cell_types"]), **arrays)
        selected, anchor = masks
        signature = ReferenceSignature(whole, selected, anchor, int(stored["n_references"]))
        network = build_network(signature.model_genes, config, hierarchy=hierarchy)
        network.load_state_dict(tensors)
        settings = stored["settings"]
    except FileNotFoundError as error:
        missing = error.filename or "weights.safetensors"  # safetensors does not say which file it missed
        msg = f"{folder} is not a model: {missing} is missing. Give the folder that hpvade train wrote."
        raise FileFormatError(msg) from error
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, ValidationError) as error:
        if isinstance(error, FileFormatError):
            raise
        reason = str(error).splitlines()[0]
        msg = f"The model in {folder} is damaged ({reason}). Train it again, or restore the folder."
        raise FileFormatError(msg) from error
    network.eval()
    return Checkpoint(
        network, signature, states, hierarchy, calibration, heldout, genes, config, settings, provenance
    )


def _read_heldout(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", dtype={"cell_type": str}, keep_default_na=False)


def _calibration(tensors: dict[str, torch.Tensor]) -> Calibration | None:
    """Take the calibration out of the tensors of a model folder."""
    names = [name for name in tensors if name.startswith(_CALIBRATION_PREFIX)]
    arrays = {name.removeprefix(_CALIBRATION_PREFIX): tensors.pop(name).numpy() for name in names}
    return Calibration.from_arrays(arrays) if arrays else None
