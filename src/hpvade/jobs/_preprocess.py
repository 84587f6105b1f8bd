"""References → prepared reference: the job of ``hpvade preprocess``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpvade import _keys
from hpvade.jobs._references import ReferenceOptions, load_references
from hpvade.model import prepare_cells, preset_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

    from hpvade._types import Preset


def preprocess_files(
    references: Sequence[Path],
    *,
    options: ReferenceOptions | None = None,
    preset: Preset = "default",
    changes: dict[str, dict[str, Any]] | None = None,
    seed: int = 0,
) -> AnnData:
    """Read references, check them, choose the genes and split the cells."""
    reference = load_references(references, options=options or ReferenceOptions())
    settings = {**reference.uns[_keys.UNS], "seed": seed}
    config = preset_config(preset).updated(changes or {}).preprocess
    return prepare_cells(reference, settings, config=config)
