"""Methods × references × bulk sets of a manifest, each estimate in a process of its own, resumable."""

from hpvade.jobs.benchmark._run import BenchmarkOptions, benchmark_files
from hpvade.jobs.benchmark._summary import Benchmark

__all__ = ["Benchmark", "BenchmarkOptions", "benchmark_files"]
