"""The user's class, its presets and its folder on disk."""

from hpvade.model._checkpoint import Checkpoint, load_checkpoint, model_folder, save_checkpoint
from hpvade.model._config import PRESETS, HPVADEConfig, preset_config
from hpvade.model._hpvade import HPVADE
from hpvade.model._prepare import check_model_overlap, prepare
from hpvade.model._provenance import versions

__all__ = [
    "HPVADE",
    "PRESETS",
    "Checkpoint",
    "HPVADEConfig",
    "check_model_overlap",
    "load_checkpoint",
    "model_folder",
    "prepare",
    "preset_config",
    "save_checkpoint",
    "versions",
]
