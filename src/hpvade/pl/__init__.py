"""Plots: each function draws data on Matplotlib axes and returns them; nothing is shown or saved."""

from hpvade.pl._benchmark import benchmark_summary
from hpvade.pl._calibration import calibration
from hpvade.pl._composition import composition
from hpvade.pl._fraction_intervals import fraction_intervals
from hpvade.pl._group_fractions import group_fractions
from hpvade.pl._latent_umap import latent_umap
from hpvade.pl._loss_curves import loss_curves
from hpvade.pl._palette import cell_type_colors
from hpvade.pl._predicted_versus_true import predicted_versus_true
from hpvade.pl._signature_heatmap import signature_heatmap

__all__ = [
    "benchmark_summary",
    "calibration",
    "cell_type_colors",
    "composition",
    "fraction_intervals",
    "group_fractions",
    "latent_umap",
    "loss_curves",
    "predicted_versus_true",
    "signature_heatmap",
]
