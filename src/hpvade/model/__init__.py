"""The trained model: how it is made, what it does, its folder on disk, and the user's class around it."""

from hpvade.model._checkpoint import MODEL_FILES, load, model_folder, save
from hpvade.model._config import PRESETS, HPVADEConfig, preset_config, preset_name
from hpvade.model._deconvolver import COVERAGE, Deconvolver, check_model_overlap, deconvolve, expression
from hpvade.model._hpvade import HPVADE
from hpvade.model._latent import Latent, latent
from hpvade.model._prepare import PreparedReference, prepare, prepare_cells
from hpvade.model._provenance import versions
from hpvade.model._slots import write_slots
from hpvade.model._train import Training, train
from hpvade.model._trained import TrainedModel

__all__ = [
    "COVERAGE",
    "HPVADE",
    "MODEL_FILES",
    "PRESETS",
    "Deconvolver",
    "HPVADEConfig",
    "Latent",
    "PreparedReference",
    "TrainedModel",
    "Training",
    "check_model_overlap",
    "deconvolve",
    "expression",
    "latent",
    "load",
    "model_folder",
    "prepare",
    "prepare_cells",
    "preset_config",
    "preset_name",
    "save",
    "train",
    "versions",
    "write_slots",
]
