"""The model that a tool is given: the user's class, the trained model itself, or its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from hpvade._errors import HPVADEError
from hpvade.model import HPVADE, TrainedModel, load

AnyModel: TypeAlias = HPVADE | TrainedModel | str | Path


def trained_model(model: AnyModel) -> TrainedModel:
    """Return the trained model.

    Raises
    ------
    HPVADEError
        The model was not trained.
    FileFormatError
        The folder is not a model, or is damaged.
    """
    if isinstance(model, TrainedModel):
        return model
    if isinstance(model, HPVADE):
        if model.trained is None:
            msg = "The model is not trained yet. Call train() first."
            raise HPVADEError(msg)
        return model.trained
    return load(model)
