"""Bulk tables in any supported format, read as a whole or by blocks of samples: samples × genes, linear."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData

from hpvade import _keys as keys
from hpvade._errors import CountsError, InputError, numbered_list
from hpvade._warnings import DataWarning, warn
from hpvade.io._files import reader_errors
from hpvade.io._genes import combine_genes, describe_repeats, with_known_case

from ._gene_names import check_gene_names
from ._orientation import find_orientation
from ._readers import open_table
from ._source import BulkSource
from ._units import Unit, describe_other_scale, find_unit

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from hpvade._types import BulkUnit

_RUNS, _RUN_LENGTH = 10, 20  # of samples that represent a large table
_SHOWN_SAMPLES = 5  # in a message


def read_bulk(
    path: str | os.PathLike[str],
    *,
    unit: BulkUnit = "auto",
    genes: Iterable[str] | None = None,
    ignore_case: bool = False,
) -> AnnData:
    """Read bulk expression.

    Parameters
    ----------
    path
        A table of genes and samples in one of the formats of ``docs/formats.md``, for instance TSV, Excel,
        AnnData or the output of salmon; or a folder with one file a sample.
    unit
        The unit of the values; ``"auto"`` detects it from the format and the values.
    genes
        Known gene names, for instance those of the reference: they help to detect the orientation.
    ignore_case
        Whether genes that are named like known ones but for case get their names.

    Returns
    -------
    Samples × genes. X is dense float64 on the linear scale; genes that are repeated are summed, or averaged
    if they are probes of a microarray. ``var["gene_name"]`` holds second gene names where the file has them.
    ``uns["hpvade"]`` records what was detected and done: ``format``, ``orientation``, ``orientation_by``,
    ``unit``, ``unit_given_or_detected``, ``transform``, ``ignore_case``, ``repeated_genes``, ``notes``.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, in no known format, or contains something other than numbers.
    CountsError
        If a value is missing, infinite, or negative and not a logarithm.
    InputError
        If samples have the same name, are all zero, or are constant.
    """
    with open_bulk(path, unit=unit, genes=genes, ignore_case=ignore_case) as file:
        return file.block(0, file.n_obs)


@contextmanager
def open_bulk(
    path: str | os.PathLike[str],
    *,
    unit: BulkUnit = "auto",
    genes: Iterable[str] | None = None,
    ignore_case: bool = False,
) -> Iterator[BulkFile]:
    """Open a bulk table to read it by blocks of samples.

    Parameters
    ----------
    path, unit, genes, ignore_case
        As for `read_bulk`. An h5ad file or a zarr folder stays on disk, unless it is stored by genes; other
        formats are read into memory. The unit is detected from representative samples, see
        `representative_runs`.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, in no known format, or contains something other than numbers.
    """
    path, known = Path(path), frozenset(() if genes is None else genes)
    with ExitStack() as stack:
        table, table_format = open_table(BulkSource(path, unit, known, stack))
        orientation, orientation_by = table.orientation, "format"
        if orientation is None:
            orientation, orientation_by = find_orientation(
                table.rows, table.columns, corner=table.corner, genes=known
            )
        rows, names, columns = table.values, table.rows, table.columns
        if orientation == "genes x samples":
            rows, names, columns = rows.T, columns, names
        names, columns = names.astype(str), columns.astype(str)
        name_notes = check_gene_names(path, columns, gene_names=table.gene_names)
        gene_names = table.gene_names
        if ignore_case:
            before, columns = columns, pd.Index(with_known_case(columns, known))
            n_changed = int((columns != before).sum())
            name_notes.append(f"{n_changed:,} gene names were recognised in another case.")
            if gene_names is not None:
                gene_names = pd.Series(with_known_case(gene_names, known))
        runs = [_read_rows(rows, *run, path=path) for run in representative_runs(len(names))]
        representative = _finite_or_zero(np.concatenate(runs))
        try:
            found = find_unit(representative, unit=unit, format_unit=table.unit)
        except CountsError as error:
            msg = f"{path}: {error}"
            raise CountsError(msg) from error
        averaged, how = _combining(representative, found)
        var, gene_notes = _distinct_genes(columns, gene_names=gene_names, how=how)
        notes = [*table.notes, *found.notes, *name_notes, *gene_notes]
        if orientation_by == "longer axis":
            notes.append(
                "The names do not show whether the genes are in rows or columns; "
                f"{orientation} was assumed from the lengths of the axes."
            )
        for note in notes:
            warn(f"{path.name}: {note}", DataWarning)
        facts = {
            "format": table_format.name,
            "orientation": orientation,
            "orientation_by": orientation_by,
            "unit": found.name,
            "unit_given_or_detected": found.given_or_detected,
            "transform": found.transform,
            "ignore_case": ignore_case,
            "repeated_genes": "averaged" if averaged else "summed",
            "notes": notes,
        }
        repeated = names[names.duplicated()].unique()
        yield BulkFile(path, names, var, facts, rows, columns, repeated, found, averaged)


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
    facts
        What was detected and done, as `read_bulk` records it.
    """

    path: Path
    obs_names: pd.Index
    var: pd.DataFrame
    facts: dict[str, Any]
    _rows: Any  # an array or a matrix on disk, sliced by samples; genes as in the file
    _genes: pd.Index  # as in the file
    _repeated: pd.Index  # samples of the whole table
    _unit: Unit
    _averaged: bool  # repeated genes, instead of summed

    @property
    def n_obs(self) -> int:
        """Number of samples."""
        return len(self.obs_names)

    def block(self, start: int, stop: int) -> AnnData:
        """Read a run of samples; the result and the errors are those of `read_bulk`."""
        raw = _read_rows(self._rows, start, stop, path=self.path)
        samples = self.obs_names[start:stop]
        finite = _finite_or_zero(raw)
        if (other := self._unit.other_scale(finite)).any():
            msg = f"{self.path}: {describe_other_scale(samples[other], unit=self._unit)}"
            raise CountsError(msg)
        linear = self._unit.linear(finite)
        x = _sum_genes(linear, self._genes, averaged=self._averaged)
        problems = bulk_problems(
            pd.DataFrame(raw, index=samples, columns=self._genes, copy=False),
            linear=linear,
            by_gene=x,
            repeated=self._repeated,
        )
        if problems:
            msg = f"{self.path}: {numbered_list([str(problem) for problem in problems])}"
            error = type(problems[0])(msg)
            error.n_problems = len(problems)
            raise error
        block = AnnData(x, obs=pd.DataFrame(index=samples), var=self.var.copy())
        block.uns[keys.UNS] = dict(self.facts)
        return block

    def representative_samples(self) -> AnnData:
        """Read samples that represent the table, see `representative_runs`."""
        return ad.concat(
            [self.block(*run) for run in representative_runs(self.n_obs)], merge="same", uns_merge="first"
        )


def representative_runs(n_samples: int) -> list[tuple[int, int]]:
    """Choose runs of samples, first and end, that represent a table too large to examine as a whole.

    All of up to 200 samples, otherwise ten evenly spaced runs of twenty.
    """
    if n_samples <= _RUNS * _RUN_LENGTH:
        return [(0, n_samples)]
    starts = np.linspace(0, n_samples - _RUN_LENGTH, _RUNS).astype(int)
    return [(int(start), int(start) + _RUN_LENGTH) for start in starts]


def bulk_problems(
    values: pd.DataFrame,
    *,
    linear: NDArray[np.float64] | None = None,
    by_gene: NDArray[np.float64] | None = None,
    repeated: pd.Index | None = None,
) -> list[InputError]:
    """Find everything that makes bulk expression unusable: all rules about values and samples.

    Values must be finite and not negative on the linear scale. Samples must have different names, and must be
    neither zero for every gene nor constant.

    Parameters
    ----------
    values
        Samples × genes, in any unit.
    linear
        The same on the linear scale, 0 where ``values`` are not finite; None if ``values`` are linear.
    by_gene
        ``linear`` with repeated genes summed; None if none is repeated.
    repeated
        Sample names that occur more than once; None searches ``values``.

    Returns
    -------
    One error a problem, not raised.
    """
    raw = values.to_numpy()
    linear = _finite_or_zero(raw) if linear is None else linear
    by_gene = linear if by_gene is None else by_gene
    samples = values.index
    repeated = samples[samples.duplicated()].unique() if repeated is None else repeated
    zero = (by_gene == 0).all(axis=1)
    constant = ~zero & (by_gene == by_gene[:, :1]).all(axis=1)
    return [
        *_bad_values(
            values,
            ~np.isfinite(raw),
            what="missing (empty, NA, n/a and the like) or infinite",
            remedy="Replace them with numbers, or remove those genes.",
        ),
        *_bad_values(
            values,
            linear < 0,
            what="negative",
            remedy="Expression cannot be negative: use the values before centring or batch correction.",
        ),
        *_unnamed_samples(samples),
        *_bad_samples(repeated, what="named more than once", remedy="Rename them."),
        *_bad_samples(samples[zero], what="zero for every gene", remedy="Remove them."),
        *_bad_samples(samples[constant], what="constant over all genes", remedy="Remove them."),
    ]


def _bad_values(
    values: pd.DataFrame, bad: NDArray[np.bool_], *, what: str, remedy: str
) -> Iterator[InputError]:
    """Yield the problem with the bad values of a table of samples × genes, if there are any."""
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
    """Yield the problem with some samples, if there are any."""
    if len(samples):
        more = len(samples) - _SHOWN_SAMPLES
        shown = ", ".join(map(repr, samples[:_SHOWN_SAMPLES])) + (f" and {more} more" if more > 0 else "")
        yield InputError(f"Samples are {what}: {shown}. {remedy}")


def _unnamed_samples(samples: pd.Index) -> Iterator[InputError]:
    """Yield the problem with samples that have no name, if there are any."""
    at = np.flatnonzero(samples.astype(str).str.strip() == "")
    if len(at):
        found = "1 sample has no name" if len(at) == 1 else f"{len(at)} samples have no name"
        yield InputError(f"{found}, the first at position {at[0] + 1}. Give each sample a name.")


def _finite_or_zero(values: NDArray[np.float64]) -> NDArray[np.float64]:
    finite = np.isfinite(values)
    return values if finite.all() else np.where(finite, values, 0)


def _read_rows(rows: Any, start: int, stop: int, *, path: Path) -> NDArray[np.float64]:  # noqa: ANN401
    with reader_errors(path, expected="a bulk table"):
        raw = rows[start:stop]
        return np.asarray(raw if isinstance(raw, np.ndarray) else raw.toarray(), dtype=np.float64)


# Genes


def _combining(values: NDArray[np.float64], unit: Unit) -> tuple[bool, str]:
    """Return whether repeated genes are averaged instead of summed, and how to describe that.

    Those of microarrays are probes. Logarithms of their intensities start well above zero.
    """
    smallest = float(np.median(values.min(axis=1)))
    is_log = unit.transform != "none" and not unit.transform.endswith("- 1")
    if unit.name == "microarray" or (is_log and smallest > 0):
        return True, "averaged, as probes of a microarray"
    if unit.name == "linear" and smallest > 0:
        return (
            False,
            "summed. If they are probes of a microarray, pass --bulk-unit microarray to average them",
        )
    return False, "summed"


def _distinct_genes(
    genes: pd.Index, *, gene_names: pd.Series | None, how: str
) -> tuple[pd.DataFrame, list[str]]:
    """Return the genes of a table, each name once, and notes about the others."""
    var = pd.DataFrame(index=genes)
    if gene_names is not None:
        var["gene_name"] = gene_names.to_numpy()
    notes = []
    named = _is_named(genes)
    if not named.all():
        notes.append(f"{int((~named).sum())} genes without a name were removed.")
    var = var[named]
    if not var.index.is_unique:
        notes.append(f"{describe_repeats(var.index)}; their values were {how}.")
    return var[~var.index.duplicated()], notes


def _is_named(genes: pd.Index) -> NDArray[np.bool_]:
    return np.asarray(genes.str.strip() != "")


def _sum_genes(x: NDArray[np.float64], genes: pd.Index, *, averaged: bool) -> NDArray[np.float64]:
    """Remove genes without a name, and sum or average repeated ones."""
    named = _is_named(genes)
    if not named.all():
        x, genes = x[:, named], genes[named]
    if not genes.is_unique:
        x = combine_genes(x, genes, averaged=averaged)
    return np.ascontiguousarray(x, dtype=np.float64)
