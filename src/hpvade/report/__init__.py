"""Results of a run as a self-contained HTML page and as tables for MultiQC."""

from hpvade.report._multiqc import write_multiqc
from hpvade.report._page import render

__all__ = ["render", "write_multiqc"]
