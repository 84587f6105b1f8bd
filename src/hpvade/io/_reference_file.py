"""A reference on disk, read by blocks of cells: what does not fit into memory need not."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from hpvade import _keys as keys
from hpvade._errors import FileFormatError

from ._counts import Place, find_counts, require_counts
from ._files import foreign_reader, is_zarr, open_group, sliceable
from ._genes import distinct_genes
from ._labels import categorise_names
from ._tenx import is_tenx

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_LOOKED_AT = 1_000  # cells, to find the counts
_KEY_OF = {"X": "X", "raw.X": "raw/X"}  # name of a place → where it is in the file; layers by their names


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """An open reference, or a run of its cells.

    Attributes
    ----------
    path
        The file or folder.
    obs
        Of these cells; labels and donors are categories of strings, NaN where missing.
    var
        Of all genes, each name once.
    counts_found_in
        Where the counts are.
    """

    path: Path
    obs: pd.DataFrame
    var: pd.DataFrame
    counts_found_in: str
    _matrix: Any
    _columns: sparse.csr_matrix | None  # sums genes that share a name
    _first: int = 0  # cell of the file that comes first here

    @property
    def n_obs(self) -> int:
        """Number of cells."""
        return len(self.obs)

    def blocks(self, size: int) -> Iterator[tuple[int, sparse.csr_matrix]]:
        """Yield the first cell and the counts of each block: CSR float32, shape (cells, genes).

        Raises
        ------
        CountsError
            A value is no count; it is named.
        FileFormatError
            The file is damaged.
        """
        for start in range(0, self.n_obs, size):
            yield start, self.block(start, start + size)

    def block(self, start: int, stop: int) -> sparse.csr_matrix:
        """Read the counts of a run of cells; errors as for `blocks`."""
        with foreign_reader(self.path, expected="an AnnData file"):
            in_file = slice(self._first + start, self._first + min(stop, self.n_obs))
            counts = sparse.csr_matrix(self._matrix[in_file], dtype=np.float32)
        names = self.obs.index[start:stop]
        require_counts(Place(self.counts_found_in, counts, self.var), cells=names, path=self.path)
        return counts if self._columns is None else counts @ self._columns

    def run(self, start: int, stop: int) -> ReferenceRun:
        """Describe a run of cells, for another process."""
        names = self.obs.iloc[start:stop, :0]
        of_file = (self.path.resolve(), names, self.var, self.counts_found_in, self._columns)
        return ReferenceRun(*of_file, self._first + start)


@dataclass(frozen=True, slots=True)
class ReferenceRun:
    """A run of cells of a reference, closed; it can go to another process that sees the file."""

    path: Path
    obs: pd.DataFrame
    var: pd.DataFrame
    counts_found_in: str
    columns: sparse.csr_matrix | None
    first: int

    @contextmanager
    def open(self) -> Iterator[ReferenceFile]:
        """Open the run; its ``obs`` has names only."""
        with open_group(self.path) as file:
            matrix = _counts_in(file, self.counts_found_in)
            of_run = (self.path, self.obs, self.var, self.counts_found_in, matrix, self.columns)
            yield ReferenceFile(*of_run, self.first)


def n_cells_of(path: str | os.PathLike[str]) -> int | None:
    """Tell how many cells a reference holds; None for one that cannot be read by blocks.

    Those are 10x folders, files of anndata before 0.7, and what is no reference.
    """
    path = Path(path)
    if is_tenx(path) or (path.is_dir() and not is_zarr(path)):
        return None
    with open_group(path) as file:
        obs = file.get("obs")
        index = None if obs is None else obs.attrs.get("_index")
        return None if index is None else int(obs[index].shape[0])


@contextmanager
def open_reference(
    path: str | os.PathLike[str],
    *,
    labels_key: str = keys.CELL_TYPE,
    donor_key: str | None = None,
    layer: str | None = None,
) -> Iterator[ReferenceFile]:
    """Open an h5ad file or a zarr folder to read it by blocks.

    Parameters
    ----------
    path, labels_key, donor_key, layer
        As for `read_reference`. The counts are searched for in the first thousand cells; every block that is
        read is checked.

    Raises
    ------
    FileFormatError
        It is in another format, or the counts are stored by genes.
    LabelError, CountsError
        As for `read_reference`.
    """
    path = Path(path)
    with open_group(path) as file:
        with foreign_reader(path, expected="an AnnData file"):
            obs = ad.io.read_elem(file["obs"])
            first = _first_cells(file, names=obs.index[:_LOOKED_AT])
        categorise_names(obs, labels_key=labels_key, donor_key=donor_key, path=path)
        place = find_counts(first, layer=layer, path=path)
        matrix = _counts_in(file, place.name)
        if getattr(matrix, "format", "csr") != "csr":
            msg = (
                f"{path} stores its counts by genes (CSC) and cannot be read by blocks. Store them by cells "
                f"(CSR), or read it as a whole, with --max-cells {len(obs)}."
            )
            raise FileFormatError(msg)
        var, columns = distinct_genes(place.var)
        yield ReferenceFile(path, obs, var, place.name, matrix, columns)


def _counts_in(file: Any, place: str) -> Any:  # noqa: ANN401 - a group, and what can be sliced by cells
    return sliceable(file[_KEY_OF.get(place, place.replace("['", "/").removesuffix("']"))])


def _first_cells(file: Any, *, names: pd.Index) -> ad.AnnData:  # noqa: ANN401 - a group of h5py or of zarr
    """Read the first cells, which have these names, with all places that may hold counts."""

    def of_these(place: str) -> Any:  # noqa: ANN401 - a sparse matrix or an array
        return sliceable(file[place])[: len(names)]

    obs = pd.DataFrame(index=names)
    layers = {name: of_these(f"layers/{name}") for name in file.get("layers", {})}
    x = of_these("X") if "X" in file else None
    first = ad.AnnData(x, obs=obs, var=ad.io.read_elem(file["var"]), layers=layers)
    if "raw/X" in file:
        first.raw = ad.AnnData(of_these("raw/X"), obs=obs, var=ad.io.read_elem(file["raw/var"]))
    return first
