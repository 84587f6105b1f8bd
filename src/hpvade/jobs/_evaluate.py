"""Estimated fractions compared with measured ones: the job of ``hpvade evaluate``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from hpvade._errors import FileFormatError
from hpvade.io import output_file, read_text
from hpvade.metrics import Evaluation, evaluate
from hpvade.results import read_fractions

if TYPE_CHECKING:
    from pathlib import Path

_Columns = Annotated[dict[str, list[str]], Field(min_length=1)]
_Sides = Annotated[dict[Literal["estimate", "truth"], _Columns], Field(min_length=1)]
_MAP: TypeAdapter[Any] = TypeAdapter(_Columns | _Sides)


def evaluate_files(
    fractions: Path,
    truth: Path,
    output: Path | None,
    *,
    mapping: Path | None = None,
    seed: int = 0,
    force: bool = False,
) -> Evaluation:
    """Score a table of fractions and write the metrics as JSON.

    Raises
    ------
    InputError
        A file cannot be read, or the tables do not match.
    """
    columns = None if mapping is None else _read_map(mapping)
    result = evaluate(read_fractions(fractions), read_fractions(truth), mapping=columns, seed=seed)
    if output is not None:
        with output_file(output, force=force) as partial:
            partial.write_text(json.dumps(result.to_dict(), indent=1) + "\n")
    return result


def _read_map(path: Path) -> dict[str, Any]:
    """Read coarse type → list of columns, or one such map for each side."""
    try:
        return _MAP.validate_json(read_text(path))
    except (OSError, ValueError) as error:
        msg = (
            f'The map {path} cannot be read. Expected JSON like {{"coarse type": ["column", …]}}, or one '
            'such map for each side: {"estimate": …, "truth": …}.'
        )
        raise FileFormatError(msg) from error
