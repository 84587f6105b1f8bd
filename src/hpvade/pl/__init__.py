"""Plots: each takes data and returns a Matplotlib figure, and shows or saves nothing."""

from hpvade.pl._benchmark import benchmark_summary

__all__ = ["benchmark_summary"]
