"""The model that gave the results of an output folder: where it is, and whether it is the same one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from hpvade._errors import FileFormatError, InputError
from hpvade.io import sha256
from hpvade.model import load, model_folder
from hpvade.results._files import MODEL
from hpvade.results._history import history_beside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpvade.model import TrainedModel

_REMEDY = "Recreate the report with hpvade report FOLDER --model MODEL_FOLDER."


class FoundModel(NamedTuple):
    """A model and its losses per epoch, empty where they are not available; or why there is no model."""

    trained: TrainedModel | None
    history: pd.DataFrame
    no_model: str = ""


def find_model(folder: Path, run: Mapping[str, Any], *, given: Path | None) -> FoundModel:
    """Find the model that gave the results in an output folder.

    Parameters
    ----------
    folder
        The output folder.
    run
        Its ``run.json``.
    given
        Where the model is. Default: in the folder, or where it was.

    Raises
    ------
    FileFormatError
        There is no model at ``given``.
    InputError
        It is another one.
    """
    inside = (folder / MODEL).is_dir()
    recorded = run["decisions"].get("model")
    place = given or (folder if inside else Path(recorded) if recorded else None)
    if place is None or (given is None and not place.is_dir()):
        where = f"at {recorded}" if recorded else "in the folder of the results"
        return _none(f"The model of these results is no longer {where}. {_REMEDY}")
    if place != folder:
        expected = sha256(folder / MODEL) if inside else run["decisions"].get("model_sha256")
        if sha256(model_folder(place)) != expected:
            if given is None:
                return _none(f"The model at {recorded} did not produce these results. {_REMEDY}")
            load(given)  # reports what is wrong with a folder that is not a model
            msg = f"{given} is not the model that produced these results: its files differ. Pass that model."
            raise InputError(msg)
    try:
        trained = load(place)
    except FileFormatError as error:  # of an earlier version: the rest of the results can be shown
        if given is not None:
            raise
        return _none(str(error))
    return FoundModel(trained, history_beside(model_folder(place)))


def _none(reason: str) -> FoundModel:
    return FoundModel(None, pd.DataFrame(), reason)
