"""Estimated fractions against a truth, over files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hpvade._errors import FileFormatError
from hpvade.io import output_file, read_fractions
from hpvade.metrics import Evaluation, evaluate

if TYPE_CHECKING:
    from pathlib import Path


def evaluate_files(
    fractions: Path,
    truth: Path,
    output: Path | None,
    *,
    mapping: Path | None = None,
    seed: int = 0,
    force: bool = False,
) -> Evaluation:
    """Score a table of fractions and write the metrics as JSON: the job of ``hpvade evaluate``.

    Raises
    ------
    InputError
        A file cannot be read, or the tables do not belong together.
    """
    columns = None
    if mapping is not None:
        try:
            columns = json.loads(mapping.read_text())
        except (OSError, ValueError) as error:
            msg = f"The map {mapping} cannot be read as JSON: {error}."
            raise FileFormatError(msg) from error
    result = evaluate(read_fractions(fractions), read_fractions(truth), mapping=columns, seed=seed)
    if output is not None:
        with output_file(output, force=force) as partial:
            partial.write_text(json.dumps(result.to_dict(), indent=1) + "\n")
    return result
