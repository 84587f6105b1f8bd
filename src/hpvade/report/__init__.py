"""Results of a run → files for people to look at: one self-contained page, and tables for MultiQC."""

from hpvade.report._multiqc import write_multiqc
from hpvade.report._page import render

__all__ = ["render", "write_multiqc"]
