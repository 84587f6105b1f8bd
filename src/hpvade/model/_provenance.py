"""Which software made a model."""

from __future__ import annotations

import platform
from importlib.metadata import version

from hpvade import __version__

_PACKAGES = ("torch", "lightning", "anndata", "scanpy", "numpy", "scipy", "pandas")


def versions() -> dict[str, str]:
    """Versions of hpvade, Python and the libraries that the numbers depend on."""
    own = {"hpvade": __version__, "python": platform.python_version()}
    return own | {package: version(package) for package in _PACKAGES}
