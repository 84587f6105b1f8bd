"""Reference → prepared reference → mixtures, as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata

from hpvade import _keys
from hpvade._errors import FileFormatError
from hpvade.model import prepare, preset_config
from hpvade.simulate import simulate

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from hpvade._types import Preset, Split


def prepare_reference(
    reference: AnnData, *, preset: Preset, changes: dict[str, dict[str, Any]], seed: int
) -> AnnData:
    """Check a reference that `load_references` returned and prepare it."""
    settings = {**reference.uns[_keys.UNS], "seed": seed}
    return prepare(reference, settings, config=preset_config(preset).updated(changes).preprocess)


def simulate_mixtures(
    prepared: Path,
    *,
    preset: Preset,
    changes: dict[str, dict[str, Any]],
    split: Split,
    effects: bool,
    seed: int,
) -> AnnData:
    """Read a prepared reference and simulate mixtures from one split.

    Raises
    ------
    InputError
        The file is not a prepared reference.
    """
    try:
        reference = anndata.read_h5ad(prepared)
    except (OSError, KeyError, ValueError) as error:
        msg = f"{prepared} cannot be read as h5ad: {error}. Give the file that hpvade preprocess wrote."
        raise FileFormatError(msg) from error
    config = preset_config(preset).updated(changes).simulate
    return simulate(reference, config=config, split=split, effects=effects, seed=seed)
