"""Draw estimated against measured fractions of the real sets: the picture of the README.

python benchmarks/figure.py MANIFEST.json DATASET=FRACTIONS.tsv ... -o docs/real-bulk.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from real_bulk import coarse

from hpvade.io import read_fractions
from hpvade.metrics import ccc, pearson

COLORS = {"B": "#0072b2", "T": "#d55e00", "CD4 T": "#e69f00", "CD8 T": "#d55e00", "NK": "#009e73"}
COLORS |= {"Monocyte": "#cc79a7"}


def sums(table: pd.DataFrame, columns: dict[str, list[str]]) -> pd.DataFrame:
    """Sum columns to coarse types."""
    return pd.DataFrame({name: table[parts].sum(axis=1) for name, parts in columns.items()})


def main() -> None:
    """Draw one panel per set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("sets", nargs="+", metavar="DATASET=FRACTIONS.tsv")
    parser.add_argument("--reference", default="pbmc_hao")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    manifest = json.loads(arguments.manifest.read_text())
    figure = Figure(figsize=(4.2 * len(arguments.sets), 4))
    axes = figure.subplots(1, len(arguments.sets), squeeze=False)
    for axis, item in zip(axes[0], arguments.sets, strict=True):
        dataset, path = item.split("=")
        columns = coarse(manifest, dataset, arguments.reference)
        truth = read_fractions(arguments.manifest.parent / manifest["bulk"][dataset]["truth"])
        measured = sums(truth, columns["truth"])
        estimate = sums(read_fractions(Path(path)), columns["estimate"]).loc[measured.index]
        for name in measured:
            axis.scatter(measured[name], estimate[name], s=22, color=COLORS[name], label=name, alpha=0.85)
        highest = 1.08 * max(measured.to_numpy().max(), estimate.to_numpy().max())
        axis.plot([0, highest], [0, highest], color="0.7", lw=1, zorder=0)
        x, y = estimate.to_numpy().ravel(), measured.to_numpy().ravel()
        agreement = f"r {pearson(x, y):.2f}, CCC {ccc(x, y):.2f}"
        axis.set_title(f"{dataset.replace('_', ' ')}\n{len(measured)} samples, {agreement}", fontsize=10)
        axis.set(
            xlabel="measured fraction", ylabel="estimated fraction", xlim=(0, highest), ylim=(0, highest)
        )
        axis.set_aspect("equal")
        axis.legend(frameon=False, fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(arguments.output, dpi=130)


if __name__ == "__main__":
    main()
