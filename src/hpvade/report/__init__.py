"""Results of a run → files for people to look at: one self-contained page, and tables for MultiQC."""

from hpvade.report._multiqc import write_multiqc
from hpvade.report._page import render
from hpvade.report._results import GROUPS, Results, read_results

__all__ = ["GROUPS", "Results", "read_results", "render", "write_multiqc"]
