"""Reference files → one checked reference."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from anndata import AnnData

from hpvade import _keys
from hpvade._errors import InputError, LabelError, absent_column
from hpvade._warnings import DataWarning, warn
from hpvade.io import count_cells, open_reference, read_reference
from hpvade.model import HPVADE
from hpvade.pp import (
    apply_label_map,
    combine_references,
    label_map_levels,
    pool_reference,
    read_label_map,
    read_rna_content,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from distributed import Client


_PATIENCE = "20s"  # for a scheduler to answer


@dataclass(frozen=True)
class ReferenceOptions:
    """How to read references.

    Attributes
    ----------
    labels_key, donor_key
        Columns of ``obs``.
    layer
        Where the counts are; None searches for them.
    labels
        Table of cell labels of a reference that has none.
    label_map
        Table that renames, merges and drops labels.
    rna_content
        Table of the RNA content of each type; None measures it in the reference.
    max_cells
        A larger h5ad or zarr reference is reduced to a pool of this many cells in memory; S and m are made of
        all cells.
    dask
        Scheduler of a Dask cluster that reads it; None uses the active client of this process, if there is
        one.
    """

    labels_key: str = _keys.CELL_TYPE
    donor_key: str | None = None
    layer: str | None = None
    label_map: Path | None = None
    rna_content: Path | None = None
    max_cells: int = 20_000
    dask: str | None = None
    labels: Path | None = None

    @property
    def tables(self) -> list[Path]:
        """Return the tables that belong to the references."""
        return [table for table in (self.labels, self.label_map, self.rna_content) if table is not None]


def load_references(paths: Sequence[Path], *, options: ReferenceOptions) -> AnnData:
    """Read references, apply the label map, put them together, and set them up for `HPVADE`.

    Raises
    ------
    InputError
        A file or its labels cannot be used, two references have the same name, or several come with one table
        of labels.
    """
    if options.labels is not None and len(paths) > 1:
        msg = (
            f"--labels belongs to one reference, but there are {len(paths)}. Store the labels in the obs of "
            "each file instead."
        )
        raise InputError(msg)
    content = None if options.rna_content is None else read_rna_content(options.rna_content)
    label_map = None if options.label_map is None else read_label_map(options.label_map)
    references: dict[str, AnnData] = {}
    for path in paths:
        name = Path(path).name.split(".")[0]
        if name in references:
            msg = f"Two references are named '{name}'. Rename one of the files."
            raise InputError(msg)
        reference = _read(path, options=options)
        if label_map is not None:
            reference = apply_label_map(reference, label_map, labels_key=options.labels_key, name=name)
        references[name] = reference
    _check_donors(references, donor_key=options.donor_key)
    combined = combine_references(
        references,
        labels_key=options.labels_key,
        donor_key=options.donor_key,
        allow_missing_types=label_map is not None,  # the author of a map has checked the types
    )
    levels = pd.DataFrame() if label_map is None else label_map_levels(label_map)
    labels = combined.obs[options.labels_key].astype(str)
    for level, groups in levels.drop(columns=options.labels_key, errors="ignore").items():
        combined.obs[level] = labels.map(groups).to_numpy()
    combined.uns[_keys.UNS] = {**combined.uns.get(_keys.UNS, {}), **_records(references)}
    HPVADE.setup_anndata(
        combined,
        labels_key=options.labels_key,
        donor_key=options.donor_key,
        rna_content=content,
        levels=[str(level) for level in levels],
    )
    return combined


def _read(path: Path, *, options: ReferenceOptions) -> AnnData:
    """Read a reference, or a pool of its cells where it is large."""
    n_cells = count_cells(path)
    if n_cells is None or n_cells <= options.max_cells:
        return read_reference(path, labels_key=options.labels_key, layer=options.layer, labels=options.labels)
    with (
        _dask_client(options.dask) as client,
        open_reference(
            path, labels_key=options.labels_key, layer=options.layer, labels=options.labels
        ) as file,
    ):
        pool = pool_reference(
            file,
            labels_key=options.labels_key,
            donor_key=options.donor_key if options.donor_key in file.obs else None,
            max_cells=options.max_cells,
            client=client,
        )
    if options.labels is None:
        return pool
    return pool[pool.obs[options.labels_key].notna().to_numpy()].copy()  # the sums have labelled cells alone


def read_without_labels(path: Path, *, options: ReferenceOptions) -> AnnData:
    """Read the counts of a reference, whatever its labels; of a large one, only the first cells.

    Raises
    ------
    InputError
        The file cannot be used, labels apart.
    """
    n_cells = count_cells(path)
    if n_cells is None or n_cells <= options.max_cells:
        return read_reference(path, labels_key=None, layer=options.layer)
    with open_reference(path, labels_key=None, layer=options.layer) as file:
        cells = AnnData(obs=file.obs.iloc[: options.max_cells, :0], var=file.var)
        cells.layers[_keys.COUNTS] = file.block(0, options.max_cells)
        cells.uns[_keys.UNS] = file.record
    return cells


def reference_facts(reference: AnnData) -> dict[str, Any]:
    """Return what was decided when references were read, for ``run.json``."""
    recorded = reference.uns[_keys.UNS]
    return {name: recorded[name] for name in ("counts_found_in", _keys.NOTES)}


def _records(references: Mapping[str, AnnData]) -> dict[str, Any]:
    """Join what was recorded about each reference when it was read."""
    records = {name: reference.uns[_keys.UNS] for name, reference in references.items()}
    several = len(records) > 1
    return {
        "counts_found_in": ", ".join(
            f"{name}: {found['counts_found_in']}" if several else found["counts_found_in"]
            for name, found in records.items()
        ),
        _keys.NOTES: [
            f"{name}: {note}" if several else note
            for name, found in records.items()
            for note in found[_keys.NOTES]
        ],
    }


def _check_donors(references: dict[str, AnnData], *, donor_key: str | None) -> None:
    """Check that at least one reference has the donor column; the others count as one donor each."""
    if donor_key is None:
        return
    lacking = [name for name, reference in references.items() if donor_key not in reference.obs]
    if len(lacking) == len(references):
        columns = sorted({str(c) for reference in references.values() for c in reference.obs})
        raise LabelError(absent_column(donor_key, columns, option="donor_key", place="reference.obs"))
    if lacking:
        msg = f"No donor column '{donor_key}' in {', '.join(lacking)}: each of them counts as one donor."
        warn(msg, DataWarning)


@contextmanager
def _dask_client(scheduler: str | None) -> Iterator[Client | None]:
    """Yield a client of a Dask scheduler; without one the active client of this process, or None.

    Parameters
    ----------
    scheduler
        Its address, as ``tcp://host:8786``, or its scheduler file.

    Raises
    ------
    InputError
        Dask is not installed, or nothing answers there.
    """
    if scheduler is None:
        yield _active()
        return
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError as error:
        msg = "--dask needs Dask: pip install 'hp-vade[dask]'."
        raise InputError(msg) from error
    is_file = scheduler.endswith(".json")
    if is_file and not Path(scheduler).exists():  # Dask would wait for it
        msg = f"{scheduler} does not exist. Pass the file written by dask scheduler --scheduler-file."
        raise InputError(msg)
    try:
        client = Client(
            None if is_file else scheduler,
            scheduler_file=scheduler if is_file else None,
            timeout=_PATIENCE,
            set_as_default=False,
        )
    except (OSError, ValueError) as error:
        msg = f"No Dask scheduler responds at {scheduler} ({error}). Pass its address, e.g. tcp://host:8786."
        raise InputError(msg) from error
    with client:
        yield client


def _active() -> Client | None:
    if "distributed" not in sys.modules:
        return None
    from distributed import get_client  # noqa: PLC0415 - an extra

    try:
        return get_client()
    except ValueError:  # there is none
        return None
