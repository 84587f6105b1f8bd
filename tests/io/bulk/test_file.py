"""Bulk tables: orientation, every bad input, and blocks that are parts of the whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, read_h5ad
from scipy import sparse

from hpvade._errors import CountsError, FileFormatError, InputError
from hpvade._warnings import DataWarning
from hpvade.io import open_bulk, read_bulk, representative_runs

N = 230
GENES = ["ACTB", "CD3E", "CD19", "LYZ"]
VALUES = pd.DataFrame(
    [[800.5, 12.25, 3.5, 0.0], [650.25, 2.0, 30.5, 100.0]], index=["s1", "s2"], columns=GENES
)


def tsv(frame: pd.DataFrame, **kwargs) -> str:
    return frame.to_csv(sep=kwargs.pop("sep", "\t"), **kwargs)


def check(bulk: AnnData, expected: pd.DataFrame = VALUES) -> None:
    assert isinstance(bulk.X, np.ndarray)
    assert bulk.X.dtype == np.float64
    pd.testing.assert_frame_equal(bulk.to_df(), expected, check_names=False)


@pytest.mark.parametrize("name", ["bulk.tsv", "bulk.csv", "bulk.txt.gz"])
@pytest.mark.parametrize("sep", ["\t", ",", ";", " "])
@pytest.mark.parametrize("turned", [True, False])
def test_delimited_text_in_both_orientations(text_file, name, sep, turned):
    bulk = read_bulk(text_file(tsv(VALUES.T if turned else VALUES, sep=sep, index_label="id"), name))
    check(bulk)
    expected = "genes x samples" if turned else "samples x genes"
    assert bulk.uns["hpvade"]["orientation"] == expected
    assert bulk.uns["hpvade"]["orientation_by"] == "well-known genes"


def test_given_genes_decide_the_orientation_despite_versions(text_file):
    wide = pd.DataFrame(
        [[900.5, 1, 5], [700, 2.5, 6]], index=["ENSX.1", "ENSG02.7"], columns=["ACTB", "GAPDH", "TBP"]
    )
    bulk = read_bulk(text_file(tsv(wide)), genes=["ENSG02.3", "ENSG09"])
    assert list(bulk.obs_names) == ["ACTB", "GAPDH", "TBP"]
    assert bulk.uns["hpvade"]["orientation_by"] == "shared genes"


def test_ensembl_ids_decide_the_orientation(text_file):
    wide = VALUES.set_axis(["ENSG1", "ENSMUSG2"]).set_axis(["a", "b", "c", "d"], axis=1)
    bulk = read_bulk(text_file(tsv(wide)))
    assert list(bulk.var_names) == ["ENSG1", "ENSMUSG2"]


def test_longer_axis_is_the_last_resort_and_is_reported(text_file):
    strange = VALUES.set_axis(["a", "b", "c", "d"], axis=1)
    with pytest.warns(DataWarning, match="samples x genes was assumed from the lengths"):
        bulk = read_bulk(text_file(tsv(strange)))
    assert list(bulk.obs_names) == ["s1", "s2"]


def test_single_sample(text_file):
    check(read_bulk(text_file(tsv(VALUES.T[["s1"]]))), VALUES.loc[["s1"]])


def test_result_can_be_written(text_file, tmp_path):
    bulk = read_bulk(text_file(tsv(VALUES)))
    bulk.write_h5ad(tmp_path / "out.h5ad")
    assert dict(read_h5ad(tmp_path / "out.h5ad").uns["hpvade"])["unit"] == "linear"


@pytest.mark.parametrize(
    ("written", "problem"), [("NA", "missing"), ("", "missing"), ("inf", "infinite"), ("-12.25", "negative")]
)
@pytest.mark.parametrize("turned", [True, False])
def test_a_value_that_is_not_expression_names_sample_and_gene(text_file, written, problem, turned):
    text = tsv(VALUES.T if turned else VALUES).replace("12.25", written)
    with pytest.raises(CountsError, match=rf"1 value is .*{problem}.* in sample 's1', gene 'CD3E'"):
        read_bulk(text_file(text))


def test_every_unusable_sample_is_reported_at_once(text_file):
    table = VALUES.T.assign(zero=0.0, flat=7.5)
    table.insert(0, "s1", VALUES.loc["s2"], allow_duplicates=True)
    with pytest.raises(InputError) as caught:
        read_bulk(text_file(tsv(table)))
    text = str(caught.value)
    assert "named more than once: 's1'" in text
    assert "zero for every gene: 'zero'" in text
    assert "constant over all genes: 'flat'" in text


def test_repeated_genes_are_summed_and_reported(text_file):
    table = VALUES.set_axis(["ACTB", "CD3E", "ACTB", "LYZ"], axis=1)
    with pytest.warns(DataWarning, match=r"1 gene name occurs more than once \(for instance 'ACTB'\)"):
        bulk = read_bulk(text_file(tsv(table.T)))
    check(
        bulk, pd.DataFrame([[804.0, 12.25, 0.0], [680.75, 2.0, 100.0]], ["s1", "s2"], ["ACTB", "CD3E", "LYZ"])
    )
    assert "summed" in bulk.uns["hpvade"]["notes"][0]


def test_repeated_genes_are_summed_after_undoing_the_log(text_file):
    table = pd.DataFrame({"s1": [3.0, 4.0, 0.0, 1.5]}, index=["ACTB", "ACTB", "LYZ", "CD3E"])
    with pytest.warns(DataWarning):
        bulk = read_bulk(text_file(tsv(table)), unit="log2")
    np.testing.assert_allclose(bulk.X, [[7 + 15, 0, 2**1.5 - 1]])


PROBES = pd.DataFrame(
    {"s1": [7.5, 9.5, 6.25, 8.0, 12.0], "s2": [7.0, 9.25, 6.5, 8.5, 11.5]},
    index=["ACTB", "ACTB", "CD3E", "LYZ", "ACTB"],
)


@pytest.mark.filterwarnings("ignore:.*log-transformed")
@pytest.mark.parametrize(("unit", "shift"), [("log2", 0), ("auto", 0), ("log2", 2)])
def test_probes_of_logged_arrays_are_averaged_after_undoing_the_log(text_file, unit, shift):
    others = pd.DataFrame(np.random.default_rng(0).normal(7, 1.5, (60, 2)).clip(5), columns=PROBES.columns)
    table = pd.concat([PROBES, others.set_axis([f"G{i}" for i in range(60)])]) + shift
    expected = (2**table).groupby(level=0, sort=False).mean()
    with pytest.warns(DataWarning, match="'ACTB'.*their values were averaged, as probes of a microarray"):
        check(read_bulk(text_file(tsv(table)), unit=unit), expected.T)


def test_probes_of_linear_arrays_are_averaged_if_stated(text_file):
    with pytest.warns(DataWarning, match="averaged, as probes of a microarray"):
        bulk = read_bulk(text_file(tsv(2**PROBES)), unit="microarray")
    check(bulk, (2**PROBES).groupby(level=0, sort=False).mean().T)


def test_linear_values_without_zeros_are_summed_with_a_hint(text_file):
    with pytest.warns(
        DataWarning, match="summed. If they are probes of a microarray, pass --bulk-unit microarr"
    ):
        bulk = read_bulk(text_file(tsv(2**PROBES)))
    check(bulk, (2**PROBES).groupby(level=0, sort=False).sum().T)


def test_averages_are_the_same_in_blocks(text_file):
    table = 2 ** pd.concat([PROBES] * 3, axis=1).set_axis(list("abcdef"), axis=1)
    path = text_file(tsv(table))
    with pytest.warns(DataWarning), open_bulk(path, unit="microarray") as file:
        np.testing.assert_allclose(file.block(2, 4).X, table.groupby(level=0, sort=False).mean().T[2:4])


def test_genes_without_a_name_are_removed_and_reported(text_file):
    with pytest.warns(DataWarning, match="1 genes without a name were removed"):
        bulk = read_bulk(text_file(tsv(VALUES.T).replace("CD19", "")))
    check(bulk, VALUES.drop(columns="CD19"))


@pytest.mark.parametrize(
    ("path", "unit", "transform"),
    [
        ("monaco_GSE107011/bulk_tpm.tsv.gz", "tpm/cpm", "none"),
        ("hoek_GSE64655/bulk_tpm.tsv.gz", "tpm/cpm", "none"),
        ("newman_GSE65133/bulk_linear_microarray_unsaturated.tsv.gz", "linear", "none"),
        ("immunecellmix_gedit/bulk_log2_microarray.tsv.gz", "log2", "2**x"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*appear to be log-transformed")
def test_shared_tables_are_recognised(shared_data, path, unit, transform):
    path = shared_data / "bulk" / path
    bulk = read_bulk(path)
    facts = bulk.uns["hpvade"]
    assert (facts["unit"], facts["transform"], facts["orientation"]) == (unit, transform, "genes x samples")
    raw = pd.read_csv(path, sep="\t", index_col=0).T.to_numpy()
    np.testing.assert_allclose(bulk.X, 2**raw if transform == "2**x" else raw, rtol=1e-12)


def test_all_problems_of_values_and_samples_are_reported_at_once(tmp_path):
    (tmp_path / "bulk.tsv").write_text("gene\tgood\tzero\ts\nG1\t1\t0\tn/a\nG2\t2\t0\t-3\nG3\t3\t0\t4\n")
    with pytest.raises(CountsError) as caught:
        read_bulk(tmp_path / "bulk.tsv", genes=["G1", "G2", "G3"], unit="tpm")
    text = str(caught.value)
    assert "3 problems" in text
    assert (
        "1 value is missing (empty, NA, n/a and the like) or infinite, the first in sample 's', gene 'G1'"
        in text
    )
    assert "negative, the first in sample 's', gene 'G2' (-3)" in text
    assert "zero for every gene: 'zero'. Remove them." in text


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    genes = ["ACTB", "CD3E", "CD19", "CD19", *(f"G{i}" for i in range(30))]  # one is repeated
    return pd.DataFrame(rng.gamma(0.5, 900, (N, 34)), index=[f"s{i}" for i in range(N)], columns=genes)


@pytest.fixture(
    params=["h5ad", "sparse h5ad", "h5ad by genes", "zarr", "tsv", "large tsv", "large turned tsv"]
)
def path(request, table, tmp_path, monkeypatch):
    kind = request.param.split()
    if "large" in kind:
        monkeypatch.setattr("hpvade.io.bulk._tables._IN_MEMORY", 2_000)
    x = {"sparse": sparse.csr_matrix, "genes": sparse.csc_matrix}
    make = next((x[word] for word in kind if word in x), np.asarray)
    adata = AnnData(
        make(table.to_numpy()), obs=pd.DataFrame(index=table.index), var=pd.DataFrame(index=table.columns)
    )
    if "zarr" in kind:
        adata.write_zarr(tmp_path / "bulk.zarr")
        return tmp_path / "bulk.zarr"
    if "tsv" in kind:
        (table if "turned" in kind else table.T).to_csv(tmp_path / "bulk.tsv", sep="\t")
        return tmp_path / "bulk.tsv"
    adata.write_h5ad(tmp_path / "bulk.h5ad")
    return tmp_path / "bulk.h5ad"


@pytest.mark.filterwarnings("ignore::hpvade._warnings.DataWarning", "ignore:.*not unique", "ignore:.*zarr")
def test_blocks_are_parts_of_the_whole(path, table):
    expected = table.T.groupby(level=0, sort=False).sum().T
    whole = read_bulk(path)
    pd.testing.assert_frame_equal(whole.to_df(), expected, rtol=1e-9, check_names=False)
    with open_bulk(path) as file:
        assert list(file.obs_names) == list(table.index)
        part = file.block(100, 107)
        pd.testing.assert_frame_equal(part.to_df(), expected[100:107], rtol=1e-9, check_names=False)
        assert part.uns["hpvade"] == whole.uns["hpvade"] == file.facts
        representative = file.representative_samples()
        assert representative.n_obs == 200
        assert representative.uns["hpvade"]["unit"] == "linear"


def test_errors_in_a_late_part_of_a_large_text_are_reported(table, tmp_path, monkeypatch):
    monkeypatch.setattr("hpvade.io.bulk._tables._IN_MEMORY", 2_000)
    path = tmp_path / "bulk.tsv"
    text = table.to_csv(sep="\t").splitlines()
    path.write_text("\n".join([*text[:200], text[200].rsplit("\t", 1)[0] + "\tx", *text[201:]]))
    with pytest.raises(FileFormatError, match="'x' in row 's199', column 'G29' is not a number"):
        read_bulk(path)
    path.write_text("\n".join(text)[:-50])
    with pytest.raises(FileFormatError, match="truncated: its last line has fewer columns"):
        read_bulk(path)


def test_few_samples_represent_a_large_table():
    assert representative_runs(200) == [(0, 200)]
    runs = representative_runs(100_000)
    assert (runs[0][0], runs[-1][1]) == (0, 100_000)
    assert sum(end - start for start, end in runs) == 200


def write(table, path):
    AnnData(
        table.to_numpy(), obs=pd.DataFrame(index=table.index), var=pd.DataFrame(index=table.columns)
    ).write_h5ad(path)


def test_a_bad_value_of_a_late_sample_is_named(table, tmp_path):
    table = table.loc[:, ~table.columns.duplicated()].copy()
    table.iloc[225, 3] = -1
    write(table, tmp_path / "bulk.h5ad")
    with open_bulk(tmp_path / "bulk.h5ad") as file:
        file.block(0, 200)
        with pytest.raises(CountsError, match=r"negative, the first in sample 's225', gene 'G0' \(-1\)"):
            file.block(200, 230)


def test_a_sample_name_repeated_far_away_is_reported(table, tmp_path):
    table = table.loc[:, ~table.columns.duplicated()].rename(index={"s220": "s3"})
    with pytest.warns(UserWarning, match="not unique"):
        write(table, tmp_path / "bulk.h5ad")
    with (
        open_bulk(tmp_path / "bulk.h5ad") as file,
        pytest.raises(InputError, match="named more than once: 's3'"),
    ):
        file.block(0, 5)


def test_logarithms_are_undone_in_the_same_way_in_every_block(table, tmp_path):
    """A block whose values are all well above 0 would by itself look like log(x), not log(x + 1)."""
    table = np.log2(table.loc[:, ~table.columns.duplicated()] + 1)
    table.iloc[211:229] = table.iloc[211:229].clip(lower=3)
    write(table, tmp_path / "bulk.h5ad")
    with (
        pytest.warns(DataWarning, match="appear to be log-transformed"),
        open_bulk(tmp_path / "bulk.h5ad") as file,
    ):
        part = file.block(212, 220)
    np.testing.assert_allclose(part.X, 2 ** table.iloc[212:220].to_numpy() - 1)


@pytest.mark.parametrize("layout", ["dense", "sparse", "zarr", "genes in obs"])
@pytest.mark.filterwarnings("ignore:Writing zarr v2", "ignore:bulk.h5ad. The file has genes in obs")
def test_counts_are_read_where_x_was_scaled(tmp_path, layout):
    rng = np.random.default_rng(0)
    counts = pd.DataFrame(
        rng.negative_binomial(2, 0.02, (8, 300)).astype(float),
        index=[f"s{i}" for i in range(8)],
        columns=["ACTB", "CD4", *(f"G{i}" for i in range(298))],
    )
    scaled = np.log1p(counts)
    scaled = (scaled - scaled.mean()) / scaled.std()
    adata = AnnData(scaled, layers={"counts": sparse.csr_matrix(counts) if layout == "sparse" else counts})
    if layout == "genes in obs":
        adata = adata.T
    path = tmp_path / "bulk.h5ad"
    if layout == "zarr":
        path = tmp_path / "bulk.zarr"
        adata.write_zarr(path)
    else:
        adata.write_h5ad(path)
    with pytest.warns(DataWarning, match=r"scaled values, so layers\['counts'\] was read"):
        bulk = read_bulk(path, genes=counts.columns)
    check(bulk, counts)
    assert bulk.uns["hpvade"]["unit"] == "counts"
    del adata.layers["counts"]
    adata.write_h5ad(tmp_path / "bulk.h5ad")
    with pytest.raises(CountsError, match="The values are not expression"):
        read_bulk(tmp_path / "bulk.h5ad", genes=counts.columns)


def test_case_of_known_genes(text_file):
    mouse = VALUES.set_axis(["Actb", "Cd3e", "Cd19", "unlike"], axis=1)
    path = text_file(tsv(mouse.T, index_label="gene"))
    known = ["ACTB", "CD3E", "CD19", "LYZ"]
    assert list(read_bulk(path, genes=known).var_names) == list(mouse)
    with pytest.warns(DataWarning, match="3 gene names were recognised in another case"):
        bulk = read_bulk(path, genes=known, ignore_case=True)
    assert list(bulk.var_names) == ["ACTB", "CD3E", "CD19", "unlike"]
