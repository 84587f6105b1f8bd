"""Results → the report beside them: the job of ``hpvade report``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hpvade._warnings import DataWarning, warn
from hpvade.io import output_file
from hpvade.report import render, write_multiqc
from hpvade.results import keep_groups, read_fractions, read_results
from hpvade.results._files import FRACTIONS, GROUP_TESTS, REPORT

if TYPE_CHECKING:
    from hpvade.results import Results


def report_folder(folder: Path, *, model: Path | None = None, groups: Path | None = None) -> Path:
    """Write ``report.html`` and files for MultiQC into an output folder.

    Parameters
    ----------
    folder
        Output folder of ``hpvade run``, ``deconvolve`` or ``demo``.
    model
        Folder of the model that gave the results, if the output folder does not hold it and it was moved.
    groups
        Table of the samples' groups. Default: the one of an earlier report.

    Returns
    -------
    The page.

    Raises
    ------
    InputError
        The folder holds no results, or the groups cannot be compared.
    """
    if groups is not None:
        keep_groups(groups, folder, samples=read_fractions(folder / FRACTIONS).index)
    results = read_results(folder, model=model)
    with tempfile.TemporaryDirectory() as place:
        write_report(results, Path(place))
        for file in sorted(Path(place).iterdir()):
            with output_file(folder / file.name, force=True) as partial:
                shutil.copyfile(file, partial)
    return folder / REPORT


def write_report(results: Results, folder: Path) -> None:
    """Write the report, the comparison of groups, and the files for MultiQC into a new folder."""
    if results.no_model:
        warn(f"The report lacks the sections about the model. {results.no_model}", DataWarning)
    if results.group_tests is not None:
        results.group_tests.to_csv(folder / GROUP_TESTS, sep="\t", float_format="%.6g")
    (folder / REPORT).write_text(render(results), encoding="utf-8")
    write_multiqc(results, folder)
