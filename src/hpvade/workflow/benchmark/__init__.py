"""Methods × references × bulk sets of a manifest, each estimate in a process of its own, resumable."""

from hpvade.workflow.benchmark._results import Benchmark
from hpvade.workflow.benchmark._run import BenchmarkOptions, benchmark_files

__all__ = ["Benchmark", "BenchmarkOptions", "benchmark_files"]
