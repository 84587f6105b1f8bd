"""A bulk table in any supported format, read as a whole or by blocks of samples."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData

from hpvade import _keys as keys
from hpvade._errors import CountsError, FileFormatError, InputError, numbered_list
from hpvade._warnings import DataWarning, warn

from ._files import foreign_reader, is_zarr, open_group, sliceable
from ._genes import group_columns, tell_repeats
from ._orientation import orient
from ._quantifiers import read_quantifier, read_rsem, rsem_files
from ._tables import Table, gene_names_of, read_anndata_table, read_delimited, read_gct, read_head
from ._units import Unit, unit_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from hpvade._types import BulkUnit

_FORMATS = "TSV, CSV, GCT, h5ad, zarr, or a gene table of nf-core/rnaseq, RSEM or featureCounts"


_RUNS, _IN_A_RUN = 10, 20  # samples that are looked at


@dataclass(frozen=True, slots=True)
class BulkFile:
    """An open bulk table.

    Attributes
    ----------
    path
        The file or folder.
    obs_names
        Names of all samples.
    var
        Genes, each name once; ``gene_name`` holds second names where the file has them.
    told
        What was found and decided, as `read_bulk` says.
    """

    path: Path
    obs_names: pd.Index
    var: pd.DataFrame
    told: dict[str, Any]
    _rows: Any  # sliced by samples: an array, or a matrix on disk; genes as in the file
    _genes: pd.Index  # as in the file
    _repeated: pd.Index  # samples, in the whole table
    _unit: Unit

    @property
    def n_obs(self) -> int:
        """Number of samples."""
        return len(self.obs_names)

    def block(self, start: int, stop: int) -> AnnData:
        """Read a run of samples, as `read_bulk` reads all; errors as there."""
        raw = _read(self._rows, start, stop, path=self.path)
        samples = self.obs_names[start:stop]
        named = pd.DataFrame(raw, index=samples, columns=self._genes, copy=False)
        known = np.isfinite(raw)
        linear = self._unit.linear(raw if known.all() else np.where(known, raw, 0))
        x = _one_column_per_gene(linear, self._genes)
        zero = (x == 0).all(axis=1)
        constant = ~zero & (x == x[:, :1]).all(axis=1)
        _raise_all(
            [
                *_bad_values(
                    named,
                    ~known,
                    what="missing (empty, NA, n/a and the like) or infinite",
                    remedy="Put numbers there, or leave those genes out.",
                ),
                *_bad_values(
                    named,
                    linear < 0,
                    what="negative",
                    remedy="Expression is not: give the values before they were centred or corrected.",
                ),
                *_bad_samples(self._repeated, what="named more than once", remedy="Rename them."),
                *_bad_samples(samples[zero], what="zero for every gene", remedy="Remove them."),
                *_bad_samples(samples[constant], what="the same for every gene", remedy="Remove them."),
            ],
            path=self.path,
        )
        block = AnnData(x, obs=pd.DataFrame(index=samples), var=self.var.copy())
        block.uns[keys.UNS] = dict(self.told)
        return block

    def representative_samples(self) -> AnnData:
        """Read those samples that stand for all, see `representative_runs`."""
        return ad.concat(
            [self.block(*run) for run in representative_runs(self.n_obs)], merge="same", uns_merge="first"
        )


def representative_runs(n_samples: int) -> list[tuple[int, int]]:
    """Choose runs of samples, first and end, that stand for all where looking at all would take long.

    All of up to 200 samples, else ten evenly spaced runs of twenty.
    """
    if n_samples <= _RUNS * _IN_A_RUN:
        return [(0, n_samples)]
    starts = np.linspace(0, n_samples - _IN_A_RUN, _RUNS).astype(int)
    return [(int(start), int(start) + _IN_A_RUN) for start in starts]


@contextmanager
def open_bulk(
    path: str | os.PathLike[str], *, unit: BulkUnit = "auto", genes: Iterable[str] | None = None
) -> Iterator[BulkFile]:
    """Open a bulk table to read it by blocks of samples.

    Parameters
    ----------
    path, unit, genes
        As for `read_bulk`. An h5ad file or a zarr folder stays on disk, unless it is stored by genes; other
        formats are read into memory. The unit is that of the samples that stand for all, see `representative_runs`.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, in no known format, or holds something other than numbers.
    """
    path = Path(path)
    with _opened(path, unit=unit) as table:
        if isinstance(table, Table):
            values, orientation, orientation_by = orient(table, genes=genes)
            names, columns, rows = values.index, values.columns, values.to_numpy()
        else:
            orientation, orientation_by = "samples x genes", "format"
            names, columns, rows = table.samples, table.genes, table.rows
        some = [_read(rows, *run, path=path) for run in representative_runs(len(names))]
        found = unit_of(np.concatenate(some), unit=unit, by_format=table.unit)
        var, gene_notes = _distinct(columns.astype(str), gene_names=table.gene_names)
        notes = [*found.notes, *gene_notes]
        if orientation_by == "longer axis":
            notes.append(f"Nothing in the names tells genes from samples; {orientation} was taken by length.")
        for note in notes:
            warn(f"{path.name}: {note}", DataWarning)
        told = {
            "format": table.format,
            "orientation": orientation,
            "orientation_by": orientation_by,
            "unit": found.name,
            "unit_given_or_detected": found.given_or_detected,
            "transform": found.transform,
            "notes": notes,
        }
        names = names.astype(str)
        repeated = names[names.duplicated()].unique()
        yield BulkFile(path, names, var, told, rows, columns.astype(str), repeated, found)


@dataclass(frozen=True)
class _OnDisk:
    """Samples × genes of an AnnData file; other fields as those of `Table`."""

    samples: pd.Index
    genes: pd.Index
    rows: Any
    gene_names: pd.Series | None
    format: str
    unit: None = None


@contextmanager
def _opened(path: Path, *, unit: str) -> Iterator[Table | _OnDisk]:
    if is_zarr(path) or path.suffix == ".h5ad":
        with open_group(path) as file:
            table = _on_disk(path, file)
            if table is not None:
                yield table
                return
        yield read_anndata_table(path)
        return
    yield _read_table(path, unit=unit)


def _on_disk(path: Path, file: Any) -> _OnDisk | None:  # noqa: ANN401 - a group of h5py or of zarr
    """Look at an AnnData file; None where it is not made to be read by samples, or is no such file."""
    with foreign_reader(path, expected="an AnnData file"):
        index = file["obs"].attrs.get("_index") if "obs" in file and "X" in file else None
        rows = None if index is None else sliceable(file["X"])
        if rows is None or getattr(rows, "format", "csr") != "csr" or 0 in rows.shape:
            return None
        var = ad.io.read_elem(file["var"])
        samples = pd.Index(ad.io.read_elem(file["obs"][index]))
    return _OnDisk(samples, var.index, rows, gene_names_of(var), "zarr" if path.is_dir() else "h5ad")


def _read_table(path: Path, *, unit: str) -> Table:
    with foreign_reader(path, expected=_FORMATS):
        files = rsem_files(path) if path.is_dir() else []
    if files:
        return read_rsem(files, unit=unit)
    if path.is_dir() or path.suffix in {".xlsx", ".xls", ".rds", ".RData", ".h5"}:
        msg = f"{path} is in no known format: expected {_FORMATS}; export it as a tab-separated table."
        raise FileFormatError(msg)
    head = read_head(path)
    if head.skipped and head.skipped[0].startswith("#1."):
        return read_gct(path, head)
    return read_quantifier(path, head, unit=unit) or read_delimited(path, head)


def _read(rows: Any, start: int, stop: int, *, path: Path) -> NDArray[np.float64]:  # noqa: ANN401
    with foreign_reader(path, expected=_FORMATS):
        raw = rows[start:stop]
        return np.asarray(raw if isinstance(raw, np.ndarray) else raw.toarray(), dtype=np.float64)


def _bad_values(
    values: pd.DataFrame, bad: NDArray[np.bool_], *, what: str, remedy: str
) -> Iterator[InputError]:
    """Yield the problem with some values of a table of samples × genes, if there are such."""
    if bad.any():
        sample, gene = np.argwhere(bad)[0]
        value = values.to_numpy()[sample, gene]
        n = int(bad.sum())
        shown = "" if np.isnan(value) else f" ({value:g})"
        yield CountsError(
            f"{n} {'value is' if n == 1 else 'values are'} {what}, the first in sample "
            f"'{values.index[sample]}', gene '{values.columns[gene]}'{shown}. {remedy}"
        )


def _bad_samples(samples: pd.Index, *, what: str, remedy: str) -> Iterator[InputError]:
    """Yield the problem with some samples, if there are such."""
    if len(samples):
        yield InputError(f"Samples are {what}: {', '.join(map(repr, samples))}. {remedy}")


def _raise_all(problems: list[InputError], *, path: Path) -> None:
    """Raise about all problems of a table at once; the class is that of the first."""
    if problems:
        msg = f"{path}: {numbered_list([str(problem) for problem in problems])}"
        raise type(problems[0])(msg)


def _distinct(genes: pd.Index, *, gene_names: pd.Series | None) -> tuple[pd.DataFrame, list[str]]:
    """Return the genes of a table, each name once, and what is to be told of the others."""
    var = pd.DataFrame(index=genes)
    if gene_names is not None:
        var["gene_name"] = gene_names.to_numpy()
    notes = []
    named = _named(genes)
    if not named.all():
        notes.append(f"{int((~named).sum())} genes without a name were dropped.")
    var = var[named]
    if not var.index.is_unique:
        notes.append(f"{tell_repeats(var.index)}; they were summed.")
    return var[~var.index.duplicated()], notes


def _named(genes: pd.Index) -> NDArray[np.bool_]:
    return np.asarray(genes.str.strip() != "")


def _one_column_per_gene(x: NDArray[np.float64], genes: pd.Index) -> NDArray[np.float64]:
    """Drop genes without a name and sum repeated ones."""
    named = _named(genes)
    if not named.all():
        x, genes = x[:, named], genes[named]
    grouped = x if genes.is_unique else x @ group_columns(genes)
    return np.ascontiguousarray(grouped, dtype=np.float64)
