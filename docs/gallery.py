"""Draw every plot of hpvade.pl from the demo's results, and write the page that shows them.

The page shows the code that was run, word for word. ``scripts/gallery`` runs this file.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from hpvade.jobs import demo_files

DOCS = Path(__file__).parent
PICTURES = DOCS / "gallery"
LARGEST = 120_000  # bytes of a picture

PREPARED = '''
from pathlib import Path

import pandas as pd

import hpvade
from hpvade.jobs import demo_data


def read(name):
    """Read a table that hpvade demo wrote."""
    return pd.read_csv(demo / name, sep="\\t", index_col=0)


demo = Path("demo-results")
model = hpvade.HPVADE.load(demo / "model")
reference = demo_data(seed=0).reference
fractions, truth = read("fractions.tsv"), read("truth.tsv")
bounds = {"lower": read("fractions_lower.tsv"), "upper": read("fractions_upper.tsv")}
'''


class Plot(NamedTuple):
    """A plot of the gallery: name of its picture, heading, a sentence, and three lines of Python."""

    name: str
    heading: str
    text: str
    code: str


PLOTS = (
    Plot(
        "composition",
        "Composition",
        "Similar samples side by side. `order` may also be a cell type, or None for the order of the table.",
        """
axes = hpvade.pl.composition(fractions, order="clustered")
axes.figure.savefig("composition.png", dpi=100)
""",
    ),
    Plot(
        "composition_sorted",
        "Composition of few samples, by one type",
        "The type that sorts stands at the bottom. Samples are named where there is room.",
        """
some = fractions.iloc[:24]
axes = hpvade.pl.composition(some, order="Monocyte")
axes.figure.savefig("composition_sorted.png", dpi=100)
""",
    ),
    Plot(
        "fraction_intervals",
        "Fractions of one type, with intervals",
        "With 90 % intervals, and true fractions where they are known. More than 80 samples become a band.",
        """
few = fractions.iloc[:40]
axes = hpvade.pl.fraction_intervals(few, **bounds, cell_type="CD8 T", truth=truth)
axes.figure.savefig("fraction_intervals.png", dpi=100)
""",
    ),
    Plot(
        "predicted_versus_true",
        "Estimated against true fractions",
        "All pairs of sample and type; the metrics are those of `hpvade.metrics`, over all marks.",
        """
axes = hpvade.pl.predicted_versus_true(fractions, truth)
axes.figure.savefig("predicted_versus_true.png", dpi=100)
""",
    ),
    Plot(
        "predicted_versus_true_type",
        "Estimated against true fractions of one type",
        "With 90 % intervals as thin lines.",
        """
axes = hpvade.pl.predicted_versus_true(fractions, truth, cell_type="CD4 T", **bounds)
axes.figure.savefig("predicted_versus_true_type.png", dpi=100)
""",
    ),
    Plot(
        "calibration",
        "Calibration of intervals",
        "How often intervals hold the truth, on the mixtures that a model keeps of its trial.",
        """
coverage = hpvade.deconvolve.interval_coverage(model.heldout, model.calibration)
axes = hpvade.pl.calibration(coverage)
axes.figure.savefig("calibration.png", dpi=100)
""",
    ),
    Plot(
        "group_fractions",
        "Fractions in groups of samples",
        "Boxes with the samples over them; `hpvade.metrics.compare_groups` makes the tests.",
        """
groups = (truth["NK"] > 0.1).map({True: "NK above 10%", False: "NK below"})
axes = hpvade.pl.group_fractions(fractions, groups=groups)
axes.figure.savefig("group_fractions.png", dpi=100)
""",
    ),
    Plot(
        "signature_heatmap",
        "Signature",
        "Expression of each type's best markers in all types.",
        """
signature = read("signature.tsv.gz")
axes = hpvade.pl.signature_heatmap(signature, n_markers=5)
axes.figure.savefig("signature_heatmap.png", dpi=100)
""",
    ),
    Plot(
        "loss_curves",
        "Training",
        "`term` is a term of the loss, or `r_type`, the correlation on held-out mixtures.",
        """
history = pd.read_csv(demo / "history.csv")
axes = hpvade.pl.loss_curves(history, term="loss_prop")
axes.figure.savefig("loss_curves.png", dpi=100)
""",
    ),
    Plot(
        "latent_umap",
        "Latent space",
        "Cells of the reference and the prototypes that the model learned, laid out with UMAP.",
        """
cells, prototypes = model.latent(reference)
axes = hpvade.pl.latent_umap(cells, labels=reference.obs["cell_type"], prototypes=prototypes)
axes.figure.savefig("latent_umap.png", dpi=100)
""",
    ),
    Plot(
        "benchmark_summary",
        "Benchmark",
        "Methods on real bulk with measured fractions, here with all references together; "
        "see [accuracy](accuracy.md).",
        """
results = pd.read_csv("benchmarks/results/results.tsv", sep="\\t")
grid = hpvade.pl.benchmark_summary(results[results["reference"] == "all"])
grid[0, 0].figure.savefig("benchmark_summary.png", dpi=100)
""",
    ),
)

HEAD = """# Gallery

Every plot of `hpvade.pl`, drawn from what `hpvade demo -o demo-results` writes: 100 samples simulated from
cells that the model has not seen. Each function takes data and returns Matplotlib axes; it shows and saves
nothing. Give `ax=` to draw on axes of your own. A cell type has the same colour in every plot
(`hpvade.pl.cell_type_colors`); twelve of them can be told apart with any common colour blindness.

`scripts/gallery` draws all anew and writes this page. The code below each picture follows this:

```python{prepared}```
"""


def main() -> None:
    """Draw into ``docs/gallery`` from the folder given, or from one that the demo writes first."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if len(sys.argv) > 1:
            (work / "demo-results").symlink_to(Path(sys.argv[1]).resolve())
        else:
            demo_files(work / "demo-results")
        if json.loads((work / "demo-results" / "run.json").read_text())["seed"] != 0:
            sys.exit(f"{sys.argv[1]} was written with another --seed than 0, which the page tells.")
        (work / "benchmarks").symlink_to(DOCS.parent / "benchmarks")
        with contextlib.chdir(work):
            names: dict[str, object] = {}
            for code in (PREPARED, *(plot.code for plot in PLOTS)):
                exec(code, names)
        PICTURES.mkdir(exist_ok=True)
        for plot in PLOTS:
            shrink(work / f"{plot.name}.png", PICTURES / f"{plot.name}.png")
    (DOCS / "gallery.md").write_text(page())


def page() -> str:
    """Return the text of ``gallery.md``."""
    parts = [
        f"## {plot.heading}\n\n{plot.text}\n\n![{plot.heading}](gallery/{plot.name}.png)\n\n"
        f"```python{plot.code}```\n"
        for plot in PLOTS
    ]
    return "\n".join([HEAD.format(prepared=PREPARED), *parts])


def shrink(drawn: Path, picture: Path) -> None:
    """Write a picture with 256 colours, which plots do with."""
    with Image.open(drawn) as image:
        few = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)
    if (size := picture.stat().st_size) > LARGEST:
        sys.exit(f"{picture} has {size} bytes, more than {LARGEST}. Draw fewer samples or types.")


if __name__ == "__main__":
    main()
