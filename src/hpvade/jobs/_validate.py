"""What files hold, and every problem at once: the job of ``hpvade validate``."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from hpvade import _keys
from hpvade._errors import InputError, LabelError
from hpvade._warnings import DataWarning
from hpvade.io import find_gene_match, match_genes
from hpvade.jobs._bulk import BulkOptions
from hpvade.jobs._demo import demo_data
from hpvade.jobs._references import ReferenceOptions, load_references, read_without_labels
from hpvade.model import check_model_overlap, load, preset_config
from hpvade.schema import (
    Problem,
    ValidationReport,
    check_bulk,
    check_counts,
    check_overlap,
    check_reference,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData


def validate_files(
    reference: Path,
    bulk: Path | None,
    *,
    options: ReferenceOptions,
    bulk_options: BulkOptions | None = None,
    changes: dict[str, dict[str, Any]] | None = None,
) -> ValidationReport:
    """Read a reference and, if given, a bulk table, and check both and what they share.

    A file that cannot be read becomes an error of the report; the other one is still checked. Without usable
    labels, the counts and the genes of the reference are checked all the same.
    """
    min_cells = preset_config("default").updated(changes or {}).preprocess.min_cells
    cells, report = _read(lambda: load_references([reference], options=options))
    if cells is not None:
        report += check_reference(
            cells, labels_key=options.labels_key, donor_key=options.donor_key, min_cells=min_cells
        )
    elif LabelError in {problem.kind for problem in report.errors}:
        cells, others = _read(lambda: read_without_labels(reference, options=options))
        report += others if cells is None else check_counts(cells)
    if cells is not None:
        notes = cells.uns[_keys.UNS][_keys.NOTES]
        report += ValidationReport(warnings=tuple(Problem(DataWarning, note) for note in notes))
    if bulk is None:
        return report
    samples, bulk_report = _read(
        lambda: _read_bulk(bulk, bulk_options, var=None if cells is None else cells.var)
    )
    report += bulk_report
    if samples is not None:
        if cells is not None:
            samples = match_genes(samples, cells.var)
            report += check_overlap(samples, cells.var_names)
        report += check_bulk(samples)
    return report


def validate_for_model(
    model_folder: Path, bulk: Path, *, bulk_options: BulkOptions | None = None
) -> ValidationReport:
    """Read a trained model and a bulk table, and check the table and the genes they share.

    A file that cannot be read becomes an error of the report, as in `validate_files`.
    """
    trained, report = _read(lambda: load(model_folder))
    names = None
    if trained is not None:
        names = trained.gene_names
        facts = {"model_cell_types": ", ".join(trained.cell_types), "model_genes": len(trained.genes)}
        report += ValidationReport(facts=dict(facts))
    samples, bulk_report = _read(lambda: _read_bulk(bulk, bulk_options, var=names))
    report += bulk_report
    if samples is not None:
        if trained is not None:
            samples = find_gene_match(samples.var, trained.gene_names).renamed(samples)
            report += check_model_overlap(samples, trained.genes)
        report += check_bulk(samples)
    return report


def validate_demo(*, seed: int) -> ValidationReport:
    """Check the reference and the bulk of `demo_data`, as `validate_files` checks files."""
    data = demo_data(seed=seed)
    report = check_reference(data.reference, labels_key=_keys.CELL_TYPE)
    report += check_overlap(data.bulk, data.reference.var_names)
    return report + check_bulk(data.bulk)


def _read_bulk(path: Path, options: BulkOptions | None, *, var: pd.DataFrame | None) -> AnnData:
    with (options or BulkOptions()).open(path, var=var) as table:
        return table.block(0, table.n_obs)


def _read(read: Callable[[], Any]) -> tuple[Any, ValidationReport]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # the report lists them
            return read(), ValidationReport()
    except InputError as error:
        return None, ValidationReport(errors=(Problem(type(error), str(error), error.n_problems),))
