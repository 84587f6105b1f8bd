"""A bulk table of any length → fractions, block by block; a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from hpvade._errors import InputError
from hpvade.io import unfinished
from hpvade.jobs._deconvolve import write_deconvolution
from hpvade.model import versions
from hpvade.results import read_fractions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hpvade.io import BulkFile
    from hpvade.model import HPVADE
    from hpvade.results._run_record import RunRecord

BLOCK = 256  # samples


class RunSummary(NamedTuple):
    """What is told of an answer."""

    fractions: pd.DataFrame  # samples × cell types
    flags: pd.Series  # of each sample, joined by ;
    half_widths: pd.DataFrame  # of the intervals, samples × cell types
    level: float  # of the intervals
    known: list[str]  # cell types, without the column of unknown content


class Shard(NamedTuple):
    """One of several parts of a table, counted from 1."""

    number: int = 1
    n_shards: int = 1

    def blocks_of(self, n_samples: int) -> range:
        """First samples of the shard's blocks; all shards together have the blocks of the whole table.

        Raises
        ------
        InputError
            There are fewer blocks than shards.
        """
        n_blocks = -(-n_samples // BLOCK)
        if self.n_shards > n_blocks:
            msg = f"{n_samples} samples make {n_blocks} shards at most: one holds {BLOCK} or more."
            raise InputError(msg)
        first, end = (n_blocks * number // self.n_shards for number in (self.number - 1, self.number))
        return range(first * BLOCK, min(end * BLOCK, n_samples), BLOCK)


def check_table(bulk: BulkFile) -> None:
    """Read a table to its end, so that what is wrong with it is told before a model is trained for it.

    Raises
    ------
    InputError
        As `hpvade.io.read_bulk` says.
    """
    starts = Shard().blocks_of(bulk.n_obs)
    for start in starts:
        bulk.block(start, min(start + BLOCK, starts.stop))


def deconvolve_table(
    model: HPVADE,
    bulk: BulkFile,
    folder: Path,
    *,
    output: Path,
    model_sha256: str,
    record: RunRecord,
    shard: Shard | None = None,
    on_block: Callable[[str, int, int], None] = lambda _name, _done, _total: None,
) -> RunSummary:
    """Deconvolve a table and write the files that `write_deconvolution` writes.

    Parameters
    ----------
    model, bulk
        A trained model, and the open table.
    folder
        Where to write.
    output
        Where ``folder`` will stand in the end. What is finished of a run that is stopped stays beside it.
    model_sha256
        Of the model's folder, which tells with the record's inputs whether what is there is of the same run.
    record
        Takes timings and decisions.
    shard
        Which part of the table. Default: all.
    on_block
        Called as each block begins: what is done with it, how many are done, and of how many.
    """
    shard = shard or Shard()
    starts = shard.blocks_of(bulk.n_obs)
    record.decisions["bulk"] = bulk.told
    record.decisions["model_sha256"] = model_sha256
    record.decisions["deconvolve"] = model.config.deconvolve.model_dump(mode="json") | {
        "level": 0.9,
        "with_unknown": False,
    }
    if shard.n_shards > 1:
        record.decisions["shard"] = list(shard)
    key = _key(model_sha256, *record.inputs.values(), bulk.told, model.config.deconvolve.model_dump(), shard)
    with record.stage("deconvolve"), unfinished(output, key=key) as files:
        record.decisions["blocks_of_an_earlier_run"] = files.done
        to_do = starts[files.done :]
        blocks = (bulk.block(start, min(start + BLOCK, starts.stop)) for start in to_do)
        with closing(
            model.deconvolve_blocks(blocks, representative=bulk.representative_samples())
        ) as answers:
            for done in range(files.done, len(starts)):
                on_block("blocks of samples", done, len(starts))
                write_deconvolution(next(answers), files.folder, append=done > 0)
                files.save(done + 1)
        files.move_to(folder)
    told = pd.read_csv(folder / "qc.tsv", sep="\t", dtype=str, keep_default_na=False).set_index("sample")
    record.decisions["genes_used"] = int(told["genes_used"].iloc[0])
    bounds = [read_fractions(folder / f"fractions_{side}.tsv") for side in ("lower", "upper")]
    half_widths = (bounds[1] - bounds[0]) / 2
    return RunSummary(
        read_fractions(folder / "fractions.tsv"),
        told["flags"],
        half_widths,
        0.9,
        model.cell_types,
    )


def _key(*depends_on: object) -> str:
    """Digest of all that the answer depends on."""
    return hashlib.sha256(json.dumps([*depends_on, BLOCK, versions()]).encode()).hexdigest()
