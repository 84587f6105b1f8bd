"""Whole jobs over files: what the commands do."""

from hpvade.workflow._blocks import Answered, Shard
from hpvade.workflow._compare import baseline_fractions, compare_with_baselines
from hpvade.workflow._demo import DemoData, demo_data, demo_files, train_embedded
from hpvade.workflow._evaluate import evaluate_files
from hpvade.workflow._monitor import TrainingWatch
from hpvade.workflow._record import RunRecord, peak_memory_mb, set_threads
from hpvade.workflow._reference import ReferenceOptions, load_references
from hpvade.workflow._report import report_folder
from hpvade.workflow._run import Extras, deconvolve_files, run_files
from hpvade.workflow._simulate import prepare_reference, simulate_mixtures
from hpvade.workflow._train import TrainOptions, settings_text, train_files, train_model, write_model
from hpvade.workflow._training_state import TrainingState
from hpvade.workflow._validate import validate_demo, validate_files, validate_for_model
from hpvade.workflow.benchmark import Benchmark, BenchmarkOptions, benchmark_files

__all__ = [
    "Answered",
    "Benchmark",
    "BenchmarkOptions",
    "DemoData",
    "Extras",
    "ReferenceOptions",
    "RunRecord",
    "Shard",
    "TrainOptions",
    "TrainingState",
    "TrainingWatch",
    "baseline_fractions",
    "benchmark_files",
    "compare_with_baselines",
    "deconvolve_files",
    "demo_data",
    "demo_files",
    "evaluate_files",
    "load_references",
    "peak_memory_mb",
    "prepare_reference",
    "report_folder",
    "run_files",
    "set_threads",
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
