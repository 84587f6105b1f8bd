"""Rules that hold for the whole package."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

import hpvade

SOURCE = Path(hpvade.__file__).parent
PACKAGES = [
    "io", "schema", "pp", "simulate", "nn", "train", "deconvolve", "deconvolve.baselines", "model", "tl",
    "metrics", "results",
    "pl", "jobs", "jobs.benchmark", "app", "datasets", "testing",
]  # fmt: skip


def public_callables():
    for package in PACKAGES:
        module = importlib.import_module(f"hpvade.{package}")
        for name in module.__all__:
            thing = getattr(module, name)
            if callable(thing) and getattr(thing, "__module__", "").startswith("hpvade"):
                yield f"{package}.{name}", thing


@pytest.mark.parametrize(("name", "thing"), [pytest.param(n, t, id=n) for n, t in public_callables()])
def test_docstring_and_signature(name, thing):
    assert thing.__doc__, f"{name} has no docstring"
    if not inspect.isfunction(thing):
        return
    parameters = inspect.signature(thing).parameters.values()
    positional = [p for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
    assert not any(isinstance(p.default, bool) for p in positional), f"{name} has a positional boolean"
    # A pipeline job names its inputs and its output; all else has two positional parameters at most.
    most = 3 if name.startswith(("jobs.", "deconvolve.", "model.", "tl.")) else 2
    assert len(positional) <= most, f"{name} takes {len(positional)} positional parameters"


def test_python_api_of_the_contract():
    for name in ("io", "pp", "simulate", "pl", "metrics", "datasets", "HPVADE"):
        assert hasattr(hpvade, name)
    for method in ("setup_anndata", "train", "deconvolve", "save", "load"):
        assert callable(getattr(hpvade.HPVADE, method))
