"""A model as a folder: weights, settings, genes, provenance. No pickle anywhere."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialise

from hpvade import _keys
from hpvade._errors import FileFormatError
from hpvade.deconvolve import Calibration
from hpvade.io import sha256
from hpvade.io._files import READER_ERRORS
from hpvade.model._config import HPVADEConfig
from hpvade.model._train import build_network
from hpvade.model._trained import TrainedModel
from hpvade.pp import CellStates, Hierarchy, ReferenceSignature, Signature

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT_VERSION = 11
WEIGHTS, CONFIG, GENES, VALIDATION, PROVENANCE = MODEL_FILES = (
    "weights.safetensors",
    "config.json",
    "genes.tsv",
    "validation.tsv",
    "provenance.json",
)
# Prefixes of the arrays that are stored beside the network's own weights.
_SIGNATURE, _STATES, _CALIBRATION = "reference.", "states.", "calibration."


def save(trained: TrainedModel, folder: str | Path) -> None:
    """Write a model into a folder; see `load`. The settings contain a checksum of every file."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    signature = trained.reference_signature
    tensors = {name: tensor.contiguous() for name, tensor in trained.network.state_dict().items()}
    arrays = {
        f"{_SIGNATURE}cpm": signature.all_genes.cpm,
        f"{_SIGNATURE}rna_content": signature.all_genes.rna_content,
        f"{_SIGNATURE}content_sd": signature.content_sd,
        f"{_STATES}cell_type": trained.states.cell_type,
        f"{_STATES}log_change": trained.states.log_change,
        **{f"{_CALIBRATION}{name}": array for name, array in trained.calibration.to_arrays().items()},
    }
    tensors |= {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    (folder / WEIGHTS).write_bytes(serialise(tensors))  # save_file would make it private to the user
    genes = trained.gene_names.assign(**{_keys.SELECTED: signature.selected.astype(int)})
    genes.to_csv(folder / GENES, sep="\t", index_label="gene")
    trained.validation.to_csv(folder / VALIDATION, sep="\t", index=False, float_format="%.6f")
    (folder / PROVENANCE).write_text(json.dumps(trained.provenance, indent=1) + "\n")
    config = {
        "format_version": FORMAT_VERSION,
        "cell_types": trained.cell_types,
        "n_references": signature.n_references,
        "levels": trained.hierarchy.table.to_dict(orient="list"),
        "settings": trained.settings,
        "config": trained.config.model_dump(mode="json"),
        "files": {name: sha256(folder / name) for name in MODEL_FILES if name != CONFIG},
    }
    config["checksum"] = _checksum(config)
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n")


def _checksum(config: dict[str, Any]) -> str:
    """Return the SHA-256 of settings, without the checksum in them."""
    rest = {name: value for name, value in config.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def model_folder(folder: Path) -> Path:
    """Return a model's folder: the one that is given, or the model in it if that is an output folder."""
    return folder / "model" if (folder / "model").is_dir() else folder


def load(folder: str | Path) -> TrainedModel:
    """Read a model folder, or an output folder with a model in it.

    Raises
    ------
    FileFormatError
        A file is missing or damaged, or the folder was written in another format.
    """
    folder = model_folder(Path(folder))
    if folder.is_file():
        msg = f"{folder} is a file, not the folder of a model. Pass a folder written by hpvade train."
        raise FileFormatError(msg)
    try:
        stored = json.loads((folder / CONFIG).read_text())
        _check_version(int(stored["format_version"]), folder)
        _check_files(stored, folder)
        return _read(folder, stored)
    except FileNotFoundError as error:
        msg = f"{folder} is not a model: {error.filename} is missing. Pass a folder written by hpvade train."
        raise FileFormatError(msg) from error
    except (*READER_ERRORS, SafetensorError) as error:
        if isinstance(error, FileFormatError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        msg = f"The model in {folder} is damaged ({reason}). Train it again, or restore the folder."
        raise FileFormatError(msg) from error


def _check_version(version: int, folder: Path) -> None:
    if version == FORMAT_VERSION:
        return
    later = version > FORMAT_VERSION
    msg = (
        f"{folder} was written by {'a later' if later else 'an earlier'} version of hpvade (model format "
        f"{version}; this version reads {FORMAT_VERSION}). "
        f"{'Upgrade hpvade.' if later else 'Train the model again.'}"
    )
    raise FileFormatError(msg)


def _check_files(stored: dict[str, Any], folder: Path) -> None:
    """Check that the files were written together: with a file of another model, answers would be wrong."""
    if stored["checksum"] != _checksum(stored):
        msg = f"{CONFIG} was changed after it was written"
        raise ValueError(msg)
    for name in MODEL_FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder / name))
        if name != CONFIG and sha256(folder / name) != stored["files"][name]:
            msg = f"{name} was changed after it was written, or belongs to another model"
            raise ValueError(msg)


def _read(folder: Path, stored: dict[str, Any]) -> TrainedModel:
    """Read all files but the settings, which are ``stored``."""
    config = HPVADEConfig.model_validate(stored["config"])
    genes = pd.read_csv(folder / GENES, sep="\t", index_col="gene", keep_default_na=False, dtype=str)
    tensors = load_file(folder / WEIGHTS)
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        msg = f"{WEIGHTS} contains values that are not finite"
        raise ValueError(msg)
    signature_arrays, state_arrays, calibration_arrays = (
        _take(tensors, prefix) for prefix in (_SIGNATURE, _STATES, _CALIBRATION)
    )
    selected = genes.pop(_keys.SELECTED).to_numpy() == "1"
    if len(genes) != len(signature_arrays["cpm"]):
        msg = f"{GENES} has {len(genes)} genes, the weights have {len(signature_arrays['cpm'])}"
        raise ValueError(msg)
    content_sd = signature_arrays.pop("content_sd")
    all_genes = Signature(
        tuple(genes.index),
        tuple(stored["cell_types"]),
        **signature_arrays,
        rna_content_all=signature_arrays["rna_content"],
    )
    signature = ReferenceSignature(all_genes, selected, content_sd, int(stored["n_references"]))
    hierarchy = Hierarchy(pd.DataFrame(stored["levels"], index=pd.Index(stored["cell_types"])))
    network = build_network(signature.model_genes, config, hierarchy=hierarchy)
    network.load_state_dict(tensors)
    network.eval()
    calibration = Calibration.from_arrays(calibration_arrays)
    if len(calibration.levels) != len(hierarchy.levels):
        msg = f"{CONFIG} has {len(hierarchy.levels)} levels, the weights have {len(calibration.levels)}"
        raise ValueError(msg)
    validation = pd.read_csv(folder / VALIDATION, sep="\t", dtype={"cell_type": str}, keep_default_na=False)
    columns = validation[["mixture", "cell_type", "truth", "fraction", "sd"]]
    if len(columns) != columns["mixture"].nunique() * len(all_genes.cell_types) or columns.isna().any(
        axis=None
    ):
        msg = f"{VALIDATION} is incomplete"
        raise ValueError(msg)
    return TrainedModel(
        network=network,
        reference_signature=signature,
        states=CellStates(**state_arrays),
        hierarchy=hierarchy,
        calibration=calibration,
        validation=validation,
        gene_names=genes,
        config=config,
        settings=stored["settings"],
        provenance=json.loads((folder / PROVENANCE).read_text()),
    )


def _take(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, NDArray[Any]]:
    """Remove the arrays with a prefix from the tensors of a model, and return them without it."""
    names = [name for name in tensors if name.startswith(prefix)]
    return {name.removeprefix(prefix): tensors.pop(name).numpy() for name in names}
