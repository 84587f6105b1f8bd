"""A bulk table read by blocks is the table read as a whole; what a stopped run left is gone on with."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from hpvade._errors import CountsError, FileFormatError, InputError, OutputError
from hpvade._warnings import DataWarning
from hpvade.io import open_bulk, read_bulk, representative_runs, unfinished

N = 230


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
        monkeypatch.setattr("hpvade.io._tables._IN_MEMORY", 2_000)
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
        assert part.uns["hpvade"] == whole.uns["hpvade"] == file.told
        some = file.representative_samples()
        assert some.n_obs == 200
        assert some.uns["hpvade"]["unit"] == "linear"


def test_what_is_wrong_with_a_late_part_of_a_large_text_is_told(table, tmp_path, monkeypatch):
    monkeypatch.setattr("hpvade.io._tables._IN_MEMORY", 2_000)
    path = tmp_path / "bulk.tsv"
    text = table.to_csv(sep="\t").splitlines()
    path.write_text("\n".join([*text[:200], text[200].rsplit("\t", 1)[0] + "\tx", *text[201:]]))
    with pytest.raises(FileFormatError, match="'x' in row 's199', column 'G29' is not a number"):
        read_bulk(path)
    path.write_text("\n".join(text)[:-50])
    with pytest.raises(FileFormatError, match="truncated: its last line has fewer columns"):
        read_bulk(path)


def test_few_samples_stand_for_all():
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


def test_a_sample_that_comes_again_far_away_is_named(table, tmp_path):
    table = table.loc[:, ~table.columns.duplicated()].rename(index={"s220": "s3"})
    with pytest.warns(UserWarning, match="not unique"):
        write(table, tmp_path / "bulk.h5ad")
    with (
        open_bulk(tmp_path / "bulk.h5ad") as file,
        pytest.raises(InputError, match="named more than once: 's3'"),
    ):
        file.block(0, 5)


def test_logarithms_are_undone_alike_in_every_block(table, tmp_path):
    """A block whose values all lie well above 0 would by itself pass for logarithms of x, not x + 1."""
    table = np.log2(table.loc[:, ~table.columns.duplicated()] + 1)
    table.iloc[211:229] = table.iloc[211:229].clip(lower=3)
    write(table, tmp_path / "bulk.h5ad")
    with pytest.warns(DataWarning, match="look logged"), open_bulk(tmp_path / "bulk.h5ad") as file:
        part = file.block(212, 220)
    np.testing.assert_allclose(part.X, 2 ** table.iloc[212:220].to_numpy() - 1)


class TestUnfinished:
    def test_goes_on_from_what_was_saved(self, tmp_path):
        with pytest.warns(DataWarning, match="goes on"), pytest.raises(KeyboardInterrupt):
            self.run(tmp_path, ["one\n", "two\n", KeyboardInterrupt])
        done, text = self.run(tmp_path, ["three\n"])
        assert (done, text) == (2, "one\ntwo\nthree\n")
        assert list(tmp_path.iterdir()) == []

    def test_of_another_run_is_thrown_away(self, tmp_path):
        with pytest.warns(DataWarning), pytest.raises(KeyboardInterrupt):
            self.run(tmp_path, ["one\n", KeyboardInterrupt])
        assert self.run(tmp_path, ["new\n"], key="another") == (0, "new\n")

    def test_nothing_stays_where_nothing_was_done(self, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            self.run(tmp_path, [KeyboardInterrupt])
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("damage", ["gone", "short", "no progress"])
    def test_damaged_files_are_not_gone_on_with(self, tmp_path, damage):
        with pytest.warns(DataWarning), pytest.raises(KeyboardInterrupt):
            self.run(tmp_path, ["one\n", KeyboardInterrupt])
        (place,) = tmp_path.iterdir()
        if damage == "gone":
            (place / "files" / "table.tsv").unlink()
        elif damage == "short":
            (place / "files" / "table.tsv").write_text("o")
        else:
            (place / "progress.json").write_text("{")
        assert self.run(tmp_path, ["new\n"]) == (0, "new\n")

    def test_two_runs_at_once(self, tmp_path):
        with (
            unfinished(tmp_path / "out", key="key"),
            pytest.raises(OutputError, match="Another run is writing"),
            unfinished(tmp_path / "out", key="key"),
        ):
            pass

    def test_what_an_input_spoilt_is_thrown_away(self, tmp_path):
        def spoilt():
            with unfinished(tmp_path / "out", key="key") as files:
                files.save(1)
                raise InputError

        with pytest.raises(InputError):
            spoilt()
        assert list(tmp_path.iterdir()) == []

    def run(self, folder, lines, key="key"):
        """Append lines; one is cut off by the exception."""
        with unfinished(folder / "out", key=key) as files:
            earlier = files.done
            for line in lines:
                with (files.folder / "table.tsv").open("a") as table:
                    table.write("cut off" if line is KeyboardInterrupt else line)
                if line is KeyboardInterrupt:
                    raise line
                files.save(files.done + 1)
            return earlier, (files.folder / "table.tsv").read_text()
