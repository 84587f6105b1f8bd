"""The output folder: its files, their columns and meanings, writing them and reading them back."""

from hpvade.results._files import OUTPUT_FILES, own_files
from hpvade.results._history import append_epoch, history_beside, read_history, write_history
from hpvade.results._model import FoundModel
from hpvade.results._results import Results, read_results
from hpvade.results._run_record import RunRecord, peak_memory_mb
from hpvade.results._sample_groups import keep_groups, read_groups
from hpvade.results._tables import (
    FractionTable,
    ResultTables,
    read_fractions,
    write_deconvolution,
    write_fractions,
    write_signature,
)

__all__ = [
    "OUTPUT_FILES",
    "FoundModel",
    "FractionTable",
    "ResultTables",
    "Results",
    "RunRecord",
    "append_epoch",
    "history_beside",
    "keep_groups",
    "own_files",
    "peak_memory_mb",
    "read_fractions",
    "read_groups",
    "read_history",
    "read_results",
    "write_deconvolution",
    "write_fractions",
    "write_history",
    "write_signature",
]
