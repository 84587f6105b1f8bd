"""Names of samples from the names of their files and folders."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from hpvade.io._output import real_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_COMPRESSION: Final = re.compile(r"\.(gz|bz2|xz|zip|zst)$", re.IGNORECASE)
# What the programs call their files; nothing remains of the name where they have one folder a sample.
_PROGRAM: Final = re.compile(
    r"[._-]?("
    r"genes\.results|isoforms\.results"
    r"|quant(\.genes)?\.sf|genes\.sf"
    r"|abundance(\.gene|\.genes|_gene)?\.tsv"
    r"|rna_seq\.augmented_star_gene_counts\.tsv"
    r"|gene_abund(ance)?s?\.(tab|tsv|txt)|gene_abundances?\.tsv"
    r"|(genes|isoforms)\.fpkm_tracking"
    r"|ReadsPerGene\.out\.tab"
    r"|(htseq([._-]counts?)?|featureCounts|counts?|gene[._-]?counts?)\.(txt|tsv|csv|tab|out)"
    r"|(htseq|featureCounts)"
    r")$",
    re.IGNORECASE,
)
_ENDING: Final = re.compile(r"\.(txt|tsv|csv|tab|out|counts?|sf|gct|xlsx|xlsm|parquet)$", re.IGNORECASE)


def sample_name(path: Path) -> str:
    """Return the name of the sample in a file: that of the file, or of its folder if the file has none."""
    return _own_name(path) or real_path(path).parent.name


def sample_names(paths: Sequence[Path]) -> list[str]:
    """Return the names of the samples in several files: what distinguishes the files, or their folders."""
    own = [_own_name(path) for path in paths]
    if "" in own or len(set(own)) < len(own):
        own = [real_path(path).parent.name for path in paths]
    return _without_shared_end(own)


def _own_name(path: Path) -> str:
    name = _COMPRESSION.sub("", path.name)
    stem = _PROGRAM.sub("", name)
    return stem if stem != name else _ENDING.sub("", name)


def _without_shared_end(names: list[str]) -> list[str]:
    """Cut off what all names end with, from a dot, dash or underscore on."""
    if len(names) < 2:
        return names
    shared = os.path.commonprefix([name[::-1] for name in names])[::-1]  # noqa: RUF071 - no paths
    at = re.search(r"[._-]", shared)
    end = shared[at.start() :] if at else ""
    short = [name.removesuffix(end) for name in names]
    return short if all(short) else names
