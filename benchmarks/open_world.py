"""Unknown content on real samples: types left out of references of blood, whole blood, tumours.

    python benchmarks/open_world.py DATA_DIR results.tsv [--seeds 0,1,2]

DATA_DIR holds ``manifest-open-world.json``. Takes about half an hour on two cores. One row for each
reference and measurement; ``lower`` and ``upper`` are 95% bootstrap bounds over samples.
"""

from __future__ import annotations

import argparse
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import hpvade
from hpvade._threads import set_threads
from hpvade.datasets import scored_columns
from hpvade.jobs.benchmark._fit import load_reference
from hpvade.jobs.benchmark._intervals import true_scopes
from hpvade.jobs.benchmark._plan import BenchmarkReference, benchmark_references
from hpvade.metrics import ccc, pearson
from hpvade.model import deconvolve
from hpvade.world import World

if TYPE_CHECKING:
    from anndata import AnnData

    from hpvade.deconvolve import Deconvolution

BLOOD = ("pbmc_hao", "pbmc3k", "pbmc_zheng_sorted")
PBMC = ("monaco_GSE107011", "hoek_GSE64655")
LEFT_OUT = (
    (),
    ("Monocyte", "mDC"),
    ("B", "Plasma"),
    ("NK",),
    ("CD4 T", "CD8 T"),
)
# Words of a right name, by the first type that is left out.
RIGHT = {
    "Monocyte": "monocyt|dendritic",
    "B": "B cells|B-cell|Burkitt",
    "NK": "NK|gamma-delta",
    "CD4 T": "T cells|T-cell|MAIT",
}
ALSO = {"NK": ("ILC",)}  # labels without a coarse type that go with a type
N_BOOTSTRAP = 500


class Bench:
    """The data, and models that are trained once."""

    def __init__(self, data: Path, seed: int) -> None:
        self.manifest = hpvade.datasets.read_manifest(data / "manifest-open-world.json")
        entries = {name: self.manifest.references[name] for name in BLOOD}
        blood = self.manifest.model_copy(update={"references": entries})
        coarse = {name: self.manifest.coarse_types[name] for name in BLOOD}
        self.references = benchmark_references(blood.model_copy(update={"coarse_types": coarse}))
        for name in ("lymphnode_spacexr", "crc_tumour"):
            entry = self.manifest.references[name]
            self.references[name] = BenchmarkReference(name, {name: entry}, self.manifest.coarse_types[name])
        self.seed = seed

    def bulk(self, dataset: str) -> AnnData:
        """Read the samples of a set."""
        entry = self.manifest.bulk[dataset]
        return hpvade.io.read_bulk(entry.path, unit=entry.unit)

    def truth(self, dataset: str) -> pd.DataFrame:
        """Read the measured fractions of a set."""
        return hpvade.results.read_fractions(self.manifest.bulk[dataset].truth)

    def model(self, reference: BenchmarkReference, labels: tuple[str, ...] = ()) -> hpvade.HPVADE:
        """Train the default model on a reference, without the cells of some labels."""
        cells = load_reference(reference)
        kept = cells[~cells.obs["cell_type"].astype(str).isin(labels)].copy()
        model = hpvade.HPVADE(kept, seed=self.seed)
        model.train(accelerator="cpu")
        return model


def left_out(bench: Bench) -> list[dict]:
    """Leave types of PBMC out of each reference."""
    rows = []
    for name in BLOOD:
        for types in LEFT_OUT:
            whole = bench.references[name]
            reference = whole if not types else whole.without(types)
            labels = tuple(label for t in types for label in ALSO.get(t, ()))
            model = bench.model(reference, labels)
            for dataset in (*PBMC, "newman_GSE65133"):
                entry = bench.manifest.bulk[dataset]
                truth = true_scopes(bench.truth(dataset), entry, reference.coarse)["unknown"]
                answer = deconvolve(model.trained, bench.bulk(dataset))
                rows += samples(answer, truth, name, dataset, left_out="+".join(types))
                if not types:
                    rows += [known(bench, model, name, dataset, answer)]
            if not types:
                rows += other_blood(bench, model, name)
    model = bench.model(bench.references["all"])
    for dataset in PBMC:
        entry = bench.manifest.bulk[dataset]
        truth = true_scopes(bench.truth(dataset), entry, bench.references["all"].coarse)["unknown"]
        answer = deconvolve(model.trained, bench.bulk(dataset))
        rows += samples(answer, truth, "all", dataset, left_out="")
        rows += [known(bench, model, "all", dataset, answer)]
    return rows + other_blood(bench, model, "all")


def other_blood(bench: Bench, model: hpvade.HPVADE, name: str) -> list[dict]:
    """Measure whole blood, mixtures with a tumour, and arrays."""
    rows = []
    for dataset, column in (
        ("wholeblood_GSE60424", "Neu"),
        ("quantiseq_sim8", "Tumor"),
        ("immunecellmix_gedit", "Neutrophils"),
    ):
        answer = deconvolve(model.trained, bench.bulk(dataset))
        truth = bench.truth(dataset)[column]
        rna = dataset == "quantiseq_sim8"
        rows += samples(answer, truth, name, dataset, left_out="", rna=rna)
        rows += [known(bench, model, name, dataset, answer, rna=rna)]
    return rows


def tumours(bench: Bench) -> list[dict]:
    """Measure melanoma in lymph nodes, and colorectal tumours with and without known epithelium."""
    rows = []
    model = bench.model(bench.references["lymphnode_spacexr"])
    truth = bench.truth("melanoma_ln_GSE93722")
    answer = deconvolve(model.trained, bench.bulk("melanoma_ln_GSE93722"))
    for columns in (["Cancer_cells"], ["Cancer_cells", "other_cells"]):
        rows += samples(
            answer,
            truth[columns].sum(axis=1),
            "lymphnode_spacexr",
            f"melanoma: {'+'.join(columns)}",
            left_out="",
        )
    bulk, purity = bench.bulk("tcga_coadread"), bench.truth("tcga_coadread")["ABSOLUTE"].dropna()
    epithelium = ("Tumor Epithelial", "Normal Epithelial")
    whole, less = (
        bench.model(bench.references["crc_tumour"]),
        bench.model(bench.references["crc_tumour"], epithelium),
    )
    answer = deconvolve(less.trained, bulk)
    rows += samples(answer, purity, "crc_tumour", "tcga_coadread", left_out="epithelium")
    tumour = deconvolve(whole.trained, bulk)
    tumour.qc["unknown"] = tumour.fractions["Tumor Epithelial"]
    rows += samples(tumour, purity, "crc_tumour", "tcga_coadread: tumour cells", left_out="")
    return rows


def samples(
    answer: Deconvolution,
    truth: pd.Series,
    reference: str,
    dataset: str,
    *,
    left_out: str,
    rna: bool = False,
) -> list[dict]:
    """Make one row for each sample with a truth."""
    qc = answer.qc
    shift = answer.rna_fractions["unknown"] - qc["unknown"] if rna else 0 * qc["unknown"]
    table = pd.DataFrame(
        {
            "truth": truth,
            "unknown": qc["unknown"] + shift,
            "unknown_lower": (qc["unknown_lower"] + shift).clip(0, 1),
            "unknown_upper": (qc["unknown_upper"] + shift).clip(0, 1),
            "like": qc["unknown_like"],
            "flags": qc["flags"],
        }
    ).dropna()
    return [
        {
            "reference": reference,
            "dataset": dataset,
            "left_out": left_out,
            "sample": str(name),
            **row.to_dict(),
        }
        for name, row in table.iterrows()
    ]


def known(
    bench: Bench, model: hpvade.HPVADE, name: str, dataset: str, answer: Deconvolution, *, rna: bool = False
) -> dict:
    """Measure the known types, absolute, with and without unknown content."""
    entry = bench.manifest.bulk[dataset]
    columns = scored_columns(entry, bench.references[name].coarse)
    truth = bench.truth(dataset)
    plain = deconvolve(model.trained, bench.bulk(dataset), world=World.empty())
    row = {"reference": name, "dataset": dataset, "left_out": "", "sample": ""}
    for suffix, result in (("", answer), ("_plain", plain)):
        table = result.rna_fractions if rna else result.fractions
        got = pd.DataFrame({t: table[c].sum(axis=1) for t, c in columns["estimate"].items()})
        want = pd.DataFrame({t: truth[c].sum(axis=1) for t, c in columns["truth"].items()}).loc[got.index]
        row[f"known_ccc{suffix}"] = ccc(got.to_numpy().ravel(), want.to_numpy().ravel())
        row[f"known_r_type{suffix}"] = float(np.mean([pearson(got[t], want[t]) for t in got]))
        if "Monocyte" in got:
            row[f"monocyte_bias{suffix}"] = float((got["Monocyte"] - want["Monocyte"]).mean())
    return row


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Summarise over seeds and samples, with bootstrap bounds over samples."""
    found = []
    is_sample = rows["sample"] != ""
    leave_outs = is_sample & rows["dataset"].isin(PBMC) & rows["reference"].isin(BLOOD)
    groups = {
        ("leave-outs, Monaco and Hoek", name): leave_outs & (rows["reference"] == name) for name in BLOOD
    }
    groups["leave-outs, Monaco and Hoek", "the three"] = leave_outs
    for what in (*PBMC, "newman_GSE65133"):
        groups |= {
            (f"{what}, nothing left out", name): is_sample
            & (rows["dataset"] == what)
            & (rows["left_out"] == "")
            & (rows["reference"] == name)
            for name in (*BLOOD, "all")
        }
    groups |= {
        (f"{dataset}{f' without {gone}' if gone else ''}", name): is_sample
        & (rows["dataset"] == dataset)
        & (rows["left_out"] == gone)
        & (rows["reference"] == name)
        for dataset, name, gone in rows.loc[
            is_sample & ~rows["dataset"].isin([*PBMC, "newman_GSE65133"]),
            ["dataset", "reference", "left_out"],
        ]
        .drop_duplicates()
        .itertuples(index=False)
    }
    for (what, name), mask in groups.items():
        part = rows[mask]
        if len(part):
            found += [{"what": what, "reference": name, **row} for row in metrics(part)]
    known_rows = rows[~is_sample]
    for (dataset, name), part in known_rows.groupby(["dataset", "reference"], sort=False):
        for column in [c for c in part if c.startswith(("known", "monocyte"))]:
            value = part[column].astype(float).mean()
            found.append(
                {"what": dataset, "reference": name, "metric": column, "value": value, "n": len(part)}
            )
    return pd.DataFrame(found)


def metrics(part: pd.DataFrame) -> list[dict]:
    """Compute the metrics of one group; bounds from samples drawn with replacement, with all their seeds."""
    truth, unknown = part["truth"].to_numpy(float), part["unknown"].to_numpy(float)
    lower, upper = part["unknown_lower"].to_numpy(float), part["unknown_upper"].to_numpy(float)
    right = np.array([is_right(row) for row in part.itertuples()], dtype=float)
    large = truth >= 0.3
    flagged = part["flags"].str.contains("incomplete_reference").to_numpy()

    def values(i: np.ndarray) -> dict[str, float]:
        t, u = truth[i], unknown[i]
        is_large = large[i]
        return {
            "truth": t.mean(),
            "unknown": u.mean(),
            "r": pearson(u, t) if t.std() and u.std() else np.nan,
            "ccc": ccc(u, t) if t.std() or u.std() else np.nan,
            "rmse": float(np.sqrt(((u - t) ** 2).mean())),
            "mae": float(np.abs(u - t).mean()),
            "bias": float((u - t).mean()),
            "coverage": float(((lower[i] <= t) & (t <= upper[i])).mean()),
            "named_right": float(np.nanmean(right[i])) if np.isfinite(right[i]).any() else np.nan,
            "named": float((part["like"].to_numpy()[i] != "").mean()),
            "flagged": float(flagged[i].mean()),
            "large_found": float((flagged[i] | (lower[i] > 0.1))[is_large].mean())
            if is_large.any()
            else np.nan,
        }

    rng = np.random.default_rng(0)
    cluster = pd.factorize(part["dataset"] + part["left_out"] + part["reference"] + part["sample"])[0]
    members = [np.flatnonzero(cluster == c) for c in range(cluster.max() + 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        point = values(np.arange(len(part)))
        draws = [
            values(np.concatenate([members[c] for c in rng.integers(0, len(members), len(members))]))
            for _ in range(N_BOOTSTRAP)
        ]
        bounds = {name: np.nanquantile([d[name] for d in draws], [0.025, 0.975]) for name in point}
    extra = {
        "median_unknown": float(np.median(unknown)),
        "largest_unknown": float(unknown.max()),
        "median_width": float(np.median(upper - lower)),
    }
    rows = [
        {
            "metric": name,
            "value": value,
            "lower": bounds[name][0],
            "upper": bounds[name][1],
            "n": len(members),
        }
        for name, value in point.items()
    ]
    return rows + [{"metric": name, "value": value, "n": len(members)} for name, value in extra.items()]


def is_right(row: tuple) -> float:
    """Tell whether the missing type is named; NaN if none was left out or there is little of it."""
    if row.left_out not in {"+".join(types) for types in LEFT_OUT if types} or row.truth < 0.15:
        return np.nan
    return float(re.search(RIGHT[row.left_out.split("+")[0]], row.like) is not None)


def main() -> None:
    """Run for each seed, and write the results so far."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.threads is not None:
        set_threads(arguments.threads)
    parts = []
    for seed in map(int, arguments.seeds.split(",")):
        bench = Bench(arguments.data, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts.append(pd.DataFrame(left_out(bench) + tumours(bench)).assign(seed=seed))
        rows = pd.concat(parts, ignore_index=True)
        rows.to_csv(arguments.output.with_suffix(".samples.tsv"), sep="\t", index=False)
        summarise(rows).to_csv(arguments.output, sep="\t", index=False, float_format="%.4f")
        print(f"seed {seed} is done", flush=True)


if __name__ == "__main__":
    main()
