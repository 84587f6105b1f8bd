"""The output folder: its files, their columns and meanings, writing them and reading them back."""

from hpvade.results._files import own_files
from hpvade.results._history import HISTORY, append_epoch, read_history, write_history
from hpvade.results._results import GROUPS, Results, read_results
from hpvade.results._run_record import RUN, RunRecord, peak_memory_mb, set_threads
from hpvade.results._sample_groups import read_groups
from hpvade.results._tables import read_fractions, write_fractions, write_samples, write_signature

__all__ = [
    "GROUPS",
    "HISTORY",
    "RUN",
    "Results",
    "RunRecord",
    "append_epoch",
    "own_files",
    "peak_memory_mb",
    "read_fractions",
    "read_groups",
    "read_history",
    "read_results",
    "set_threads",
    "write_fractions",
    "write_history",
    "write_samples",
    "write_signature",
]
