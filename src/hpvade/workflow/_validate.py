"""What the files hold, and every problem at once."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from hpvade._errors import InputError
from hpvade._warnings import DataWarning
from hpvade.io import match_genes, read_bulk
from hpvade.model import preset_config
from hpvade.schema import Problem, ValidationReport, check_bulk, check_overlap, check_reference
from hpvade.workflow._reference import ReferenceOptions, load_references

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from hpvade._types import BulkUnit


def validate_files(
    reference: Path,
    bulk: Path | None,
    *,
    options: ReferenceOptions,
    bulk_unit: BulkUnit = "auto",
    changes: dict[str, dict[str, Any]] | None = None,
) -> ValidationReport:
    """Read a reference and, if given, a bulk table, and check both and what they share.

    A file that cannot be read becomes an error of the report, so that the other is still looked at.
    """
    min_cells = preset_config("default").updated(changes or {}).preprocess.min_cells
    cells, report = _read(lambda: load_references([reference], options=options))
    if cells is not None:
        report += check_reference(
            cells, labels_key=options.labels_key, donor_key=options.donor_key, min_cells=min_cells
        )
    if bulk is None:
        return report
    genes = None if cells is None else cells.var_names
    samples, bulk_report = _read(lambda: read_bulk(bulk, unit=bulk_unit, genes=genes))
    report += bulk_report
    if samples is not None:
        if cells is not None:
            samples = match_genes(samples, cells.var)
            report += check_overlap(samples, cells.var_names)
        report += check_bulk(samples)
    return report


def _read(read: Callable[[], Any]) -> tuple[AnnData | None, ValidationReport]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # the report tells them
            return read(), ValidationReport()
    except InputError as error:
        return None, ValidationReport(errors=(Problem(type(error), str(error)),))
