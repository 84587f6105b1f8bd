"""Bulk → fractions, and the files they are written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade import _keys
from hpvade._errors import OutputError
from hpvade.io import check_output_file, output_file
from hpvade.results import write_fractions, write_samples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

    from hpvade.deconvolve import Deconvolution
    from hpvade.model import HPVADE
    from hpvade.results._run_record import RunRecord


def deconvolve_bulk(model: HPVADE, bulk: AnnData, *, record: RunRecord) -> Deconvolution:
    """Deconvolve bulk samples and note what was decided about them."""
    with record.stage("deconvolve"):
        result = model.deconvolve(bulk)
    decisions = bulk.uns[_keys.UNS]
    of_model = ("model", "slots_of_levels")
    record.decisions["bulk"] = {key: value for key, value in decisions.items() if key not in of_model}
    record.decisions["deconvolve"] = model.config.deconvolve.model_dump(mode="json") | {
        "level": 0.9,
        "with_unknown": False,
    }
    record.decisions["genes_used"] = int(result.qc["genes_used"].iloc[0])
    return result


def write_deconvolution(result: Deconvolution, folder: Path, *, append: bool = False) -> None:
    """Write ``fractions.tsv`` with its bounds, ``rna_fractions.tsv`` and ``qc.tsv`` into a folder.

    ``append`` adds samples to those that are there.
    """
    tables = {
        "fractions": result.fractions,
        "fractions_lower": result.lower,
        "fractions_upper": result.upper,
        "rna_fractions": result.rna_fractions,
    }
    for name, level in result.levels.items():
        tables |= {
            f"fractions_{name}": level.fractions,
            f"fractions_{name}_lower": level.lower,
            f"fractions_{name}_upper": level.upper,
        }
    for name, table in tables.items():
        write_fractions(table, folder / f"{name}.tsv", append=append)
    write_samples(result.qc, folder / "qc.tsv", decimals=4, append=append)


def check_expression_path(path: Path, *, output: Path, inputs: Sequence[Path], force: bool) -> None:
    """Refuse a file for expression that would be lost, or would replace what is not an older one.

    Raises
    ------
    OutputError
        It exists without ``force``, is a folder, lies in the output folder, or is or lies in an input.
    """
    check_output_file(path, force=force)
    for place in (output, *inputs):
        if path.resolve().is_relative_to(place.resolve()):
            msg = f"The file for expression, {path}, lies in {place}. Choose another place."
            raise OutputError(msg)


def write_expression(model: HPVADE, bulk: AnnData, fractions: pd.DataFrame, path: Path) -> None:
    """Part the samples among their types and write the AnnData to a file of its own, whole or not at all."""
    with output_file(path, force=True) as file:
        model.expression(bulk, fractions).write_h5ad(file, compression="gzip")
