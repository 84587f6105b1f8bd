"""Bulk → fractions, and the files they are written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade import _keys
from hpvade._errors import OutputError
from hpvade.io import check_output_file, output_file, write_fractions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

    from hpvade.model import HPVADE
    from hpvade.tl import Deconvolution
    from hpvade.workflow._record import RunRecord


def deconvolve_bulk(model: HPVADE, bulk: AnnData, *, record: RunRecord) -> Deconvolution:
    """Deconvolve bulk samples and note what was decided about them."""
    with record.stage("deconvolve"):
        result = model.deconvolve(bulk)
    decisions = bulk.uns[_keys.UNS]
    of_model = ("model", "slots_of_levels")
    record.decisions["bulk"] = {key: value for key, value in decisions.items() if key not in of_model}
    record.decisions["genes_used"] = int(result.qc["genes_used"].iloc[0])
    return result


def write_deconvolution(result: Deconvolution, folder: Path) -> None:
    """Write ``fractions.tsv`` with its bounds, ``rna_fractions.tsv`` and ``qc.tsv`` into a folder."""
    write_fractions(result.fractions, folder / "fractions.tsv")
    write_fractions(result.lower, folder / "fractions_lower.tsv")
    write_fractions(result.upper, folder / "fractions_upper.tsv")
    write_fractions(result.rna_fractions, folder / "rna_fractions.tsv")
    for name, level in result.levels.items():
        write_fractions(level.fractions, folder / f"fractions_{name}.tsv")
        write_fractions(level.lower, folder / f"fractions_{name}_lower.tsv")
        write_fractions(level.upper, folder / f"fractions_{name}_upper.tsv")
    result.qc.to_csv(folder / "qc.tsv", sep="\t", index_label="sample", float_format="%.4f")


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


def write_expression(model: HPVADE, bulk: AnnData, result: Deconvolution, path: Path) -> None:
    """Part the samples among their types and write the AnnData to a file of its own, whole or not at all."""
    with output_file(path, force=True) as file:
        model.expression(bulk, result.fractions).write_h5ad(file, compression="gzip")
