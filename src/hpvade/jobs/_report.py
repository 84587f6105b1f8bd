"""Results → the report beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade._warnings import DataWarning, warn
from hpvade.io import output_file
from hpvade.metrics import check_groups
from hpvade.report import render, write_multiqc
from hpvade.results import GROUPS, read_fractions, read_groups, read_results
from hpvade.results._run_record import RUN

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from hpvade.results._run_record import RunRecord

_TESTS = "group_tests.tsv"


def report_folder(folder: Path, *, model: Path | None = None, groups: Path | None = None) -> Path:
    """Write ``report.html`` and files for MultiQC into an output folder: the job of ``hpvade report``.

    Parameters
    ----------
    folder
        Output folder of ``hpvade run``, ``deconvolve`` or ``demo``.
    model
        Folder of the model that answered, where the output folder does not hold it and it has been moved.
    groups
        Table of the samples' groups. Default: the one that an earlier report was made with.

    Returns
    -------
    The page.

    Raises
    ------
    InputError
        The folder holds no results, or the groups cannot be compared.
    """
    if groups is not None:
        keep_groups(groups, folder, samples=read_fractions(folder / "fractions.tsv").index)
    results = read_results(folder, model=model)
    if results.no_model:
        warn(f"The report lacks the parts about the model. {results.no_model}", DataWarning)
    if results.group_tests is not None:
        with output_file(folder / _TESTS, force=True) as file:
            results.group_tests.to_csv(file, sep="\t", float_format="%.6g")
    with output_file(folder / "report.html", force=True) as file:
        file.write_text(render(results), encoding="utf-8")
    write_multiqc(results, folder)
    return folder / "report.html"


def keep_groups(path: Path, folder: Path, *, samples: Collection[str]) -> None:
    """Check a table of the samples' groups and keep it with the results, for a report made later.

    Raises
    ------
    InputError
        It is no such table, or the groups cannot be compared.
    """
    groups = read_groups(path, samples=samples)
    check_groups(groups)
    with output_file(folder / GROUPS, force=True) as file:
        groups.to_csv(file, sep="\t")


def add_report(folder: Path, *, record: RunRecord) -> None:
    """Write the report of a run that is done, and note how long it took; Ctrl-C leaves the results whole."""
    try:
        with record.stage("report"):
            report_folder(folder)
    except KeyboardInterrupt:
        warn(f"All results but the report are in {folder}; hpvade report {folder} makes it.", DataWarning)
        raise
    with output_file(folder / RUN, force=True) as file:
        record.write(file)
