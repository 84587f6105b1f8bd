"""The model that gave an answer: where it is, whether it is that one, and how it was trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from hpvade._errors import FileFormatError, InputError
from hpvade.io import sha256
from hpvade.model import HPVADE, model_folder
from hpvade.train import HISTORY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

_REMEDY = "Make the report again with hpvade report FOLDER --model MODEL_FOLDER."


class FoundModel(NamedTuple):
    """A model, or why there is none; and its losses per epoch, empty where they are not to be had."""

    model: HPVADE | None
    no_model: str
    history: pd.DataFrame


def find_model(folder: Path, run: Mapping[str, Any], *, given: Path | None) -> FoundModel:
    """Find the model that gave the answer in an output folder.

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
    inside = (folder / "model").is_dir()
    recorded = run["decisions"].get("model")
    place = given or (folder if inside else Path(recorded) if recorded else None)
    if place is None or (given is None and not place.is_dir()):
        where = f"at {recorded}" if recorded else "in the folder of the results"
        return _none(f"The model that answered is no longer {where}. {_REMEDY}")
    if place != folder:
        then = sha256(folder / "model") if inside else run["decisions"].get("model_sha256")
        if sha256(model_folder(place)) != then:
            if given is None:
                return _none(f"The model at {recorded} is not the one that answered. {_REMEDY}")
            HPVADE.load(given)  # says what is wrong with a folder that is no model
            msg = f"{given} is not the model that answered: it differs from the one then. Give that one."
            raise InputError(msg)
    try:
        model = HPVADE.load(place)
    except FileFormatError as error:  # of an earlier hpvade: the rest of the results can be shown
        if given is not None:
            raise
        return _none(str(error))
    return FoundModel(model, "", _read_history(model_folder(place)))


def _none(reason: str) -> FoundModel:
    return FoundModel(None, reason, pd.DataFrame())


def _read_history(folder: Path) -> pd.DataFrame:
    """Losses per epoch, which lie beside a model's folder in an output folder."""
    path = folder.parent / "history.csv"
    if folder.name != "model" or not path.is_file():
        return pd.DataFrame()
    try:
        history = pd.read_csv(path)
    except ValueError as error:
        msg = f"{path} cannot be read ({error})."
        raise FileFormatError(msg) from error
    return history if set(HISTORY_COLUMNS) <= set(history) else pd.DataFrame()
