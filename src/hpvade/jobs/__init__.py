"""Whole jobs over files: what the commands do."""

from hpvade.jobs._blocks import RunSummary, Shard
from hpvade.jobs._compare import baseline_fractions, compare_with_baselines
from hpvade.jobs._demo import DemoData, demo_data, demo_files, train_embedded
from hpvade.jobs._evaluate import evaluate_files
from hpvade.jobs._references import ReferenceOptions, load_references
from hpvade.jobs._report import report_folder
from hpvade.jobs._run import OutputOptions, deconvolve_files, run_files
from hpvade.jobs._simulate import prepare_reference, simulate_mixtures
from hpvade.jobs._train import TrainOptions, settings_text, train_files, train_model, write_model
from hpvade.jobs._validate import validate_demo, validate_files, validate_for_model
from hpvade.jobs.benchmark import Benchmark, BenchmarkOptions, benchmark_files

__all__ = [
    "Benchmark",
    "BenchmarkOptions",
    "DemoData",
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
    "prepare_reference",
    "report_folder",
    "run_files",
    "settings_text",
    "simulate_mixtures",
    "train_embedded",
    "train_files",
    "train_model",
    "validate_demo",
    "validate_files",
    "validate_for_model",
    "write_model",
]
