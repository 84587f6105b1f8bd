"""Reliability of intervals, unknown content, levels and cell-type-specific expression.

    python benchmarks/trust.py intervals DATA_DIR results.tsv [--seeds 0,1,2]
    python benchmarks/trust.py coverage DATA_DIR results.tsv
    python benchmarks/trust.py unknown DATA_DIR results.tsv
    python benchmarks/trust.py levels DATA_DIR results.tsv
    python benchmarks/trust.py fine DATA_DIR results.tsv
    python benchmarks/trust.py expression DATA_DIR results.tsv

DATA_DIR is the one of `hpvade benchmark`. Each measurement takes 10 to 30 minutes on two cores and writes its
table.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.stats import spearmanr, ttest_ind
from sklearn.metrics import roc_auc_score

import hpvade
from hpvade.datasets import scored_columns
from hpvade.deconvolve import Estimator, sum_types
from hpvade.jobs._compare import baseline_fractions
from hpvade.jobs.benchmark._fit import load_reference
from hpvade.jobs.benchmark._intervals import true_scopes
from hpvade.jobs.benchmark._plan import benchmark_references
from hpvade.metrics import ccc, evaluate, pearson
from hpvade.pp import counts_to_cpm
from hpvade.simulate import SimulateConfig, add_effects, add_unseen_platform_effects, draw_mixtures, simulate

BLOOD = ("monaco_GSE107011", "hoek_GSE64655", "newman_GSE65133", "immunecellmix_gedit")
RNG_SEED = 0


def trained(cells: AnnData, *, seed: int = 0, bulk: AnnData | None = None) -> hpvade.HPVADE:
    """Train the default model."""
    model = hpvade.HPVADE(cells, bulk=bulk, seed=seed)
    model.train(accelerator="cpu")
    return model


def references(data: Path) -> dict:
    """Read the references of the manifest, and all of them combined."""
    return benchmark_references(hpvade.datasets.read_manifest(data))


def blood_cells(data: Path, name: str = "pbmc3k") -> AnnData:
    """Read the cells of one reference, with its own labels."""
    cells = load_reference(references(data)[name])
    cells.obs["cell_type"] = cells.obs["cell_type"].astype(str)
    return cells


# --- intervals ---


def intervals(data: Path, *, seeds: list[int]) -> pd.DataFrame:
    """Measure coverage and width of 90% intervals on real bulk samples.

    Cell types that the truth of a data set combines (T cells) are summed with their covariance, with the
    factor of all types pooled.
    """
    manifest = hpvade.datasets.read_manifest(data)
    reference = references(data)["all"]
    rows = []
    for seed in seeds:
        for dataset in BLOOD:
            entry = manifest.bulk[dataset]
            cells = load_reference(reference)
            bulk = hpvade.io.read_bulk(entry.path, unit=entry.unit, genes=cells.var_names)
            model = trained(cells, seed=seed, bulk=bulk)
            answer = model.deconvolve(bulk.copy())
            scored = scored_columns(entry, reference.coarse)["estimate"]
            sums = sum_types(
                answer.fractions,
                scored,
                covariance=answer.covariance,
                calibration=model.trained.calibration,
                unknown=answer.qc[["unknown", "unknown_lower", "unknown_upper"]],
            )
            known = true_scopes(hpvade.results.read_fractions(entry.truth), entry, reference.coarse)
            rows += [
                pd.DataFrame(
                    {
                        "seed": seed,
                        "dataset": dataset,
                        "sample": answer.fractions.index,
                        "cell_type": cell_type,
                        "truth": known[cell_type].reindex(answer.fractions.index),
                        "fraction": sums.fractions[cell_type],
                        "lower": sums.lower[cell_type],
                        "upper": sums.upper[cell_type],
                    }
                )
                for cell_type in scored
            ]
    table = pd.concat(rows, ignore_index=True).dropna()
    _print_intervals(table)
    return table


def _print_intervals(table: pd.DataFrame) -> None:
    """Print coverage, median width, and rank correlation of width and error, with bootstrap bounds."""
    rng = np.random.default_rng(RNG_SEED)
    for name, part in [("all", table), *table.groupby("dataset", sort=False)]:
        groups = part.reset_index(drop=True).groupby("sample").indices  # all types and seeds of a sample
        sample_rows = list(groups.values())
        resamples = [np.concatenate(sample_rows)]
        for _ in range(1_000):
            chosen = rng.integers(0, len(sample_rows), len(sample_rows))
            resamples.append(np.concatenate([sample_rows[i] for i in chosen]))
        error = (part["fraction"] - part["truth"]).abs().to_numpy()
        lower, upper = part["lower"].clip(0, 1), part["upper"].clip(0, 1)
        width = (upper - lower).to_numpy()
        covered = ((part["truth"] >= lower) & (part["truth"] <= upper)).to_numpy()
        figures = np.array(
            [
                (covered[i].mean(), np.median(width[i]), spearmanr(width[i], error[i]).statistic)
                for i in resamples
            ]
        )
        ends = np.quantile(figures, [0.025, 0.975], axis=0)
        estimates = zip(("coverage", "width", "rank"), figures[0], ends.T, strict=True)
        print(name, ", ".join(f"{n} {v:.2f} ({low:.2f} to {high:.2f})" for n, v, (low, high) in estimates))


# --- intervals on mixtures ---


def coverage(data: Path) -> pd.DataFrame:
    """Measure coverage on mixtures of held-out cells, under noise that training and calibration do not use.

    The RNA content of the cells equals that of the reference, or deviates from it by a factor per type and
    mixture. The log of the factor is uniform, with the standard deviation that the model assumes.
    """
    rows = []
    for name in ("all", "pbmc_hao"):
        model = trained(load_reference(references(data)[name]))
        config = model.config.simulate.model_copy(update={"n_heldout": 250})
        mixtures = simulate(model.prepared, config=config, effects=False, seed=77)
        sd = model.reference_signature.content_sd
        for noise, effect in NOISES.items():
            rng = np.random.default_rng(RNG_SEED)
            cpm = counts_to_cpm(effect(mixtures.X.astype(float), rng))
            estimator = Estimator(
                model.trained.network,
                measured=np.ones(cpm.shape[1], dtype=bool),
                states=model.trained.states,
                content_sd=sd,
                config=model.config.deconvolve,
            )
            answer = estimator(cpm)
            stated = mixtures.obsm["fractions"].to_numpy()
            factor = np.exp(rng.uniform(-1, 1, stated.shape) * sd * np.sqrt(3))
            for content, truth in (("as told", stated), ("another", stated / factor)):
                true = truth / truth.sum(1, keepdims=True)
                for level in (0.5, 0.8, 0.9, 0.95):
                    lower, upper = model.trained.calibration.interval(
                        answer.fractions, answer.sd, coverage=level
                    )
                    inside = (lower <= true) & (true <= upper)
                    by_type = inside.mean(0)
                    rows.append((name, noise, content, level, inside.mean(), by_type.min(), by_type.max()))
                    print(*rows[-1], flush=True)
    columns = ["reference", "noise", "rna_content", "level", "coverage", "worst_type", "best_type"]
    return pd.DataFrame(rows, columns=columns)


def _gamma(cpm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shape = np.exp(rng.uniform(0, 1.5, (len(cpm), 1)))
    return cpm * rng.gamma(shape, 1 / shape, size=cpm.shape)


def _compressed(cpm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    bent = cpm ** rng.uniform(0.8, 1.2, (len(cpm), 1))
    return bent / (1 + bent / np.quantile(bent, 0.995, axis=1, keepdims=True))


NOISES = {
    "gamma factors": _gamma,
    "log-normal factors, sd .6": lambda cpm, rng: cpm * np.exp(0.6 * rng.standard_normal(cpm.shape)),
    "compressed and saturated": _compressed,
}


# --- unknown content ---


def unknown(data: Path) -> pd.DataFrame:
    """Leave each type out of a reference in turn; mixtures of other cells contain up to 80% of it.

    The same compositions of known types, without and with 30% unknown cells, show the loss of accuracy.
    """
    cells = blood_cells(data)
    types = sorted(cells.obs["cell_type"].unique())
    rng = np.random.default_rng(RNG_SEED)
    in_reference = np.zeros(cells.n_obs, dtype=bool)
    for cell_type in types:
        members = np.flatnonzero(cells.obs["cell_type"] == cell_type)
        in_reference[rng.permutation(members)[: max(10, len(members) // 2)]] = True
    rows = []
    for cell_type in sorted(
        types, key=lambda name: name not in ("B", "DC", "Platelet")
    ):  # without close relatives
        left_out = types.index(cell_type)
        kept = cells[in_reference & (cells.obs["cell_type"] != cell_type).to_numpy()].copy()
        hpvade.HPVADE.setup_anndata(kept)
        model = trained(kept)
        known = [t for t in types if t != cell_type]
        for share, n in ((None, 60), (0.0, 80), (0.3, 80)):
            rng = np.random.default_rng(1)  # the same compositions of known cells for 0 and 0.3
            fractions = rng.dirichlet(np.ones(len(types)), n)
            fractions[:, left_out] = 0
            fractions /= fractions.sum(1, keepdims=True)
            u = np.linspace(0, 0.8, n) if share is None else np.full(n, share)
            fractions *= 1 - u[:, None]
            fractions[:, left_out] = u
            codes = pd.Categorical(cells.obs["cell_type"][~in_reference], categories=types).codes
            counts, realised = draw_mixtures(
                cells[~in_reference].layers["counts"].tocsr(),
                codes,
                fractions=fractions,
                n_cells=1_000,
                rng=rng,
            )
            clean = counts_to_cpm(counts)
            noises = {"none": clean}
            if share is None:
                noises["training"] = add_effects(clean, SimulateConfig(), rng=rng)
                noises["foreign"] = add_unseen_platform_effects(clean, rng=rng)
            for noise, cpm in noises.items():
                answer = model.deconvolve(_table(cpm, cells.var_names))
                p = answer.fractions[known].to_numpy()
                p = p / p.sum(1, keepdims=True)
                true = realised[:, [types.index(t) for t in known]]
                true = true / true.sum(1, keepdims=True)
                found = answer.qc["unknown"].to_numpy()
                u = realised[:, left_out]
                inside = (answer.qc["unknown_lower"] <= u) & (u <= answer.qc["unknown_upper"])
                row = (
                    cell_type,
                    "0 to .8" if share is None else share,
                    noise,
                    pearson(found, u) if u.std() else np.nan,
                )
                rows.append((*row, found.mean() - u.mean(), inside.mean(), ccc(p.ravel(), true.ravel())))
                print(*rows[-1], flush=True)
    columns = ["left_out", "share", "effects", "r", "bias", "coverage", "ccc_of_known"]
    return pd.DataFrame(rows, columns=columns)


def _table(cpm: np.ndarray, genes: pd.Index) -> AnnData:
    names = pd.Index([f"mixture_{i}" for i in range(len(cpm))])
    table = AnnData(cpm.astype(np.float32), obs=pd.DataFrame(index=names), var=pd.DataFrame(index=genes))
    table.uns["hpvade"] = {"unit": "cpm"}
    return table


# --- levels ---


def levels(data: Path) -> pd.DataFrame:
    """Compare coarse types summed from fine ones with a model that was trained on coarse types only."""
    manifest = hpvade.datasets.read_manifest(data)
    rows = []
    for name in ("pbmc_hao", "pbmc3k"):
        coarse_of = {
            label: coarse for coarse, labels in references(data)[name].coarse.items() for label in labels
        }
        for dataset in BLOOD:
            entry = manifest.bulk[dataset]
            truth = hpvade.results.read_fractions(entry.truth)
            for mode in ("levels", "coarse only"):
                cells = blood_cells(data, name)
                cells.obs["coarse"] = cells.obs["cell_type"].replace(coarse_of)
                if mode == "levels":
                    hpvade.HPVADE.setup_anndata(cells, levels=["coarse"])
                else:
                    cells.obs["cell_type"] = cells.obs["coarse"]
                    hpvade.HPVADE.setup_anndata(cells)
                bulk = hpvade.io.read_bulk(entry.path, unit=entry.unit, genes=cells.var_names)
                answer = trained(cells, bulk=bulk).deconvolve(bulk)
                found = answer.levels["coarse"].fractions if mode == "levels" else answer.fractions
                mapping = scored_columns(entry, {name: [name] for name in found})
                pooled = evaluate(found, truth, mapping=mapping, n_bootstrap=0).pooled
                rows.append((name, dataset, mode, pooled["r"], pooled["ccc"]))
                print(*rows[-1], flush=True)
    return pd.DataFrame(rows, columns=["reference", "dataset", "model", "r", "ccc"])


# Labels of pbmc3k, and the columns of Monaco's detailed flow cytometry with the same cells.
FINE_TYPES = {
    "Naive CD4 T": "T CD4 Naive",
    "Memory CD4 T": "T CD4 Memory",
    "CD8 T": "T CD8",
    "B": "B cells",
    "NK": "NK",
    "CD14+ Mono": "Monocytes C",
    "FCGR3A+ Mono": "Monocytes NC+I",
    "DC": "DCs",
}


def fine(data: Path) -> pd.DataFrame:
    """Compare each fine type with Monaco's detailed flow cytometry (Pearson r), also for the baselines."""
    entry = hpvade.datasets.read_manifest(data).bulk["monaco_GSE107011"]
    truth = pd.read_csv(
        entry.truth.with_name("fractions_flow_all_populations_percent.tsv"), sep="\t", index_col=0
    )
    cells = blood_cells(data)
    hpvade.HPVADE.setup_anndata(cells)
    bulk = hpvade.io.read_bulk(entry.path, unit=entry.unit, genes=cells.var_names)
    model = trained(cells, bulk=bulk)
    methods = ["nnls", "em", "svr"]
    answers = {"hpvade": model.deconvolve(bulk).fractions, **baseline_fractions(model, bulk, methods=methods)}
    rows = [
        (method, name, pearson(found[name].to_numpy(), truth.loc[found.index, column].to_numpy()))
        for method, found in answers.items()
        for name, column in FINE_TYPES.items()
    ]
    table = pd.DataFrame(rows, columns=["method", "type", "r"])
    print(table.pivot(index="type", columns="method", values="r").round(2))
    print(table.groupby("method")["r"].mean().round(2))
    return table


# --- expression ---


def expression(data: Path) -> pd.DataFrame:
    """Add a program (100 genes, 2–8 fold, half of the samples) to one type, and measure its recovery.

    AUROC of the t-statistic of log CPM between the halves, over genes expressed above 20 CPM in any type and
    samples with at least 10% of the type; for the right type, and the maximum and mean of the wrong types.
    """
    cells = blood_cells(data)
    cells = cells[cells.obs["cell_type"] != "Platelet"].copy()
    types = sorted(cells.obs["cell_type"].unique())
    rng = np.random.default_rng(RNG_SEED)
    half = rng.random(cells.n_obs) < 0.5
    kept = cells[half].copy()
    hpvade.HPVADE.setup_anndata(kept)
    model = trained(kept)
    profile = pd.DataFrame(
        model.reference_signature.all_genes.cpm,
        index=model.reference_signature.all_genes.genes,
        columns=types,
    )
    counts = cells[~half].layers["counts"].tocsr()
    codes = pd.Categorical(cells.obs["cell_type"][~half], categories=types).codes
    rows = []
    for k, cell_type in enumerate(types):
        for n in (30, 60):
            rng = np.random.default_rng(100 + k)
            program = rng.choice(profile.index[profile[cell_type] > 20], 100, replace=False)
            fold = np.ones(cells.n_vars)
            fold[cells.var_names.get_indexer(program)] = rng.uniform(2, 8, 100)
            raised = rng.permutation(n) < n // 2
            drawn = np.array([rng.multinomial(1_000, p) for p in rng.dirichlet(np.ones(len(types)), n)])
            bulk = np.zeros((n, cells.n_vars))
            for i in range(n):
                for j in range(len(types)):
                    chosen = rng.choice(np.flatnonzero(codes == j), drawn[i, j])
                    summed = np.asarray(counts[chosen].sum(0)).ravel()
                    bulk[i] += summed * fold if j == k and raised[i] else summed
            bulk *= np.exp(0.3 * rng.standard_normal(cells.n_vars) + 0.1 * rng.standard_normal(bulk.shape))
            samples = _table(rng.poisson(counts_to_cpm(bulk) * 20).astype(float), cells.var_names)
            parts = model.expression(samples)
            added = parts.layers["counts"].reshape(n, len(types), -1).sum(1)
            linear = samples[:, parts.var_names].X
            worst = np.abs(added - linear).max() / linear.max()
            scores = [_auroc(parts[parts.obs["cell_type"] == t], raised, program, profile) for t in types]
            wrong = np.delete(scores, k)
            rows.append((cell_type, n, scores[k], wrong.max(), wrong.mean(), worst))
            print(*rows[-1], flush=True)
    columns = [
        "cell_type",
        "samples",
        "auroc_right",
        "auroc_wrong_max",
        "auroc_wrong_mean",
        "largest_error_of_sum",
    ]
    return pd.DataFrame(rows, columns=columns)


def _auroc(parts: AnnData, raised: np.ndarray, program: np.ndarray, profile: pd.DataFrame) -> float:
    enough = (parts.obs["fraction"] >= 0.1).to_numpy()
    expressed = (profile.loc[parts.var_names].max(axis=1) > 20).to_numpy()
    log = np.log1p(parts.layers["cpm"])[:, expressed]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        t = ttest_ind(log[enough & raised], log[enough & ~raised]).statistic
    return float(roc_auc_score(parts.var_names[expressed].isin(program), np.nan_to_num(t)))


PARTS = {"coverage": coverage, "unknown": unknown, "levels": levels, "fine": fine, "expression": expression}


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["intervals", *PARTS])
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seeds", default="0,1,2")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.what == "intervals":
        table = intervals(arguments.data, seeds=[int(seed) for seed in arguments.seeds.split(",")])
    else:
        table = PARTS[arguments.what](arguments.data)
    table.to_csv(arguments.output, sep="\t", index=False, float_format="%.4f")


if __name__ == "__main__":
    main()
