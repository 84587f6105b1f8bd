"""The software and the reference that a model was made with."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from hpvade import __version__, _keys

if TYPE_CHECKING:
    from anndata import AnnData

_PACKAGES = ("torch", "lightning", "anndata", "scanpy", "numpy", "scipy", "pandas")


def versions() -> dict[str, str]:
    """Versions of hpvade, Python and the libraries that the numbers depend on."""
    own = {"hpvade": __version__, "python": platform.python_version()}
    return own | {package: version(package) for package in _PACKAGES}


def model_provenance(prepared: AnnData) -> dict[str, Any]:
    """Return the versions and the facts about the reference that a model is made with."""
    return {"versions": versions(), "reference": _reference_facts(prepared)}


def _reference_facts(prepared: AnnData) -> dict[str, Any]:
    """Describe a prepared reference.

    Returns
    -------
    ``cells``, ``genes``, ``model_genes``, ``references``, ``donors`` (None where not available), and
    ``cell_types``: type → ``cells``, ``heldout_cells``, ``donors``, ``counts_per_cell``, the median total
    counts, and ``published_content``, the kind of cell whose published RNA content was taken into account. If
    a pool of the cells was kept, ``cells`` counts all of them, and the others count the pool.
    """
    setup = prepared.uns[_keys.UNS]
    obs = prepared.obs
    donor_key = setup["donor_key"]
    n_cells = setup.get(_keys.N_CELLS) or obs[setup["labels_key"]].value_counts().to_dict()
    cell_types = {
        str(name): {
            "cells": int(n_cells[name]),
            "heldout_cells": int((cells[_keys.SPLIT] == _keys.HELDOUT).sum()),
            "donors": int(cells[donor_key].nunique()) if donor_key else None,
            "counts_per_cell": float(cells[_keys.TOTAL_COUNTS].median()),
            "published_content": setup.get(_keys.PUBLISHED_CONTENT, {}).get(str(name), ""),
        }
        for name, cells in obs.groupby(setup["labels_key"], observed=True)
    }
    return {
        "cells": sum(facts["cells"] for facts in cell_types.values()),
        "genes": prepared.n_vars,
        "model_genes": int(prepared.var[_keys.SELECTED].sum()),
        "references": int(obs[_keys.REFERENCE].nunique()) if _keys.REFERENCE in obs else 1,
        "donors": int(obs[donor_key].nunique()) if donor_key else None,
        "cell_types": cell_types,
    }
