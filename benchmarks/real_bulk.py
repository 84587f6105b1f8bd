"""Accuracy on real bulk with measured fractions: every set of a manifest, several seeds, beside baselines.

python benchmarks/real_bulk.py MANIFEST.json [--reference pbmc_hao] [--seeds 0 1 2] [--set section.name=value]
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

import pandas as pd
import yaml

import hpvade
from hpvade.metrics import evaluate
from hpvade.workflow import baseline_fractions

POOLED = ("r", "r_lower", "r_upper", "ccc", "ccc_lower", "ccc_upper", "rmse")


def coarse(manifest: dict, dataset: str, reference: str) -> dict[str, dict[str, list[str]]]:
    """Columns to sum on both sides, headline types only, as the manifest says."""
    entry = manifest["bulk"][dataset]
    estimate = dict(manifest["coarse_types"][reference])
    for merged, parts in entry.get("merge", {}).items():
        estimate[merged] = [column for part in parts for column in estimate.get(part, [])]
    types = [t for t in entry["headline_types"] if t in estimate]
    return {
        "estimate": {t: estimate[t] for t in types},
        "truth": {t: entry["truth_types"][t] for t in types},
    }


def rows_of(
    base: Path, manifest: dict, *, dataset: str, reference: str, seed: int, changes: dict
) -> list[dict]:
    """Train on one reference for one set and score all methods."""
    entry, source = manifest["bulk"][dataset], manifest["references"][reference]
    cells = hpvade.io.read_reference(base / source["path"], labels_key=source["labels_key"])
    cells = cells[~cells.obs[source["labels_key"]].isin(source.get("drop_labels", []))].copy()
    hpvade.HPVADE.setup_anndata(cells, labels_key=source["labels_key"], donor_key=source.get("donor_key"))
    bulk = hpvade.io.read_bulk(base / entry["path"], unit=entry["unit"], genes=cells.var_names)
    model = hpvade.HPVADE(cells, bulk=bulk, config=changes, seed=seed)
    model.train()
    estimates = {"HP-VADE": model.deconvolve(bulk).fractions}
    if seed == 0:
        estimates |= baseline_fractions(model, bulk)
    truth = pd.read_csv(base / entry["truth"], sep="\t", index_col=0)
    rows = []
    for method, table in estimates.items():
        result = evaluate(table, truth, mapping=coarse(manifest, dataset, reference))
        row = {"dataset": dataset, "reference": reference, "method": method, "seed": seed}
        row |= {name: result.pooled[name] for name in POOLED}
        row["r_type"] = result.summary["r_type"]
        row |= {f"r {name}": value for name, value in result.per_type["r"].items()}
        rows.append(row)
    return rows


def main() -> None:
    """Run what the arguments ask for and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--reference", default="pbmc_hao")
    parser.add_argument("--datasets", nargs="*")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--set", nargs="*", default=[], help="section.name=value")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    manifest = json.loads(arguments.manifest.read_text())
    changes: dict = {}
    for item in arguments.set:
        place, value = item.split("=")
        section, name = place.split(".")
        changes.setdefault(section, {})[name] = yaml.safe_load(value)
    datasets = arguments.datasets or [d for d, e in manifest["bulk"].items() if "B" in e["headline_types"]]
    warnings.simplefilter("ignore")
    rows = []
    for dataset in datasets:
        for seed in arguments.seeds:
            rows += rows_of(
                arguments.manifest.parent,
                manifest,
                dataset=dataset,
                reference=arguments.reference,
                seed=seed,
                changes=changes,
            )
            print(f"{dataset} seed {seed}: r {rows[-1]['r']:.3f}", file=sys.stderr)
    table = pd.DataFrame(rows)
    print(table.round(3).to_string(index=False))
    means = table[table["method"] == "HP-VADE"].groupby("dataset")[["r", "ccc", "rmse", "r_type"]].mean()
    print(means.round(3).to_string(), "\nmean", means.mean().round(3).to_dict())
    if arguments.output:
        table.to_csv(arguments.output, sep="\t", index=False, float_format="%.4f")


if __name__ == "__main__":
    main()
