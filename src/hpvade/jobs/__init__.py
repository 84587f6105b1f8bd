"""Whole jobs over files: one module per command."""

from hpvade.jobs._bulk import BulkOptions
from hpvade.jobs._compare import baseline_fractions, compare_with_baselines
from hpvade.jobs._deconvolve import OutputOptions, RunSummary, Shard, deconvolve_files
from hpvade.jobs._demo import demo_data, demo_files
from hpvade.jobs._evaluate import evaluate_files
from hpvade.jobs._preprocess import preprocess_files
from hpvade.jobs._references import ReferenceOptions, load_references
from hpvade.jobs._report import report_folder
from hpvade.jobs._run import run_files
from hpvade.jobs._simulate import simulate_mixtures
from hpvade.jobs._train import TrainOptions, settings_text, train_files
from hpvade.jobs._train_embedded import train_embedded
from hpvade.jobs._validate import validate_demo, validate_files, validate_for_model
from hpvade.jobs.benchmark import BenchmarkOptions, benchmark_files

__all__ = [
    "BenchmarkOptions",
    "BulkOptions",
    "OutputOptions",
    "ReferenceOptions",
    "RunSummary",
    "Shard",
    "TrainOptions",
    "baseline_fractions",
    "benchmark_files",
    "compare_with_baselines",
    "deconvolve_files",
    "demo_data",
    "demo_files",
    "evaluate_files",
    "load_references",
    "preprocess_files",
    "report_folder",
    "run_files",
    "settings_text",
    "simulate_mixtures",
    "train_embedded",
    "train_files",
    "validate_demo",
    "validate_files",
    "validate_for_model",
]
