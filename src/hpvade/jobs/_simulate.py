"""Prepared reference → mixtures: the job of ``hpvade simulate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpvade._errors import FileFormatError
from hpvade.io import read_anndata
from hpvade.model import preset_config
from hpvade.simulate import simulate

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from hpvade._types import Preset, Split


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
        reference = read_anndata(prepared)
    except FileFormatError as error:
        msg = f"{error} Give the file that hpvade preprocess wrote."
        raise FileFormatError(msg) from error
    config = preset_config(preset).updated(changes).simulate
    return simulate(reference, config=config, split=split, effects=effects, seed=seed)
