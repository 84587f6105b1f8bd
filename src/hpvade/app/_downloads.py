"""The files of a finished run, one by one or as one zip file made while it is sent."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Final, NamedTuple

from hpvade.app._request_error import size_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

REPORT: Final = "report.html"
ZIP: Final = "hpvade-results"
_PIECE = 1024 * 1024  # bytes

_MEANINGS: Final[Mapping[str, str]] = {
    "fractions.tsv": "Fraction of each cell type in each sample; rows sum to 1",
    "fractions_lower.tsv": "Lower bounds of the 90 % intervals",
    "fractions_upper.tsv": "Upper bounds of the 90 % intervals",
    "rna_fractions.tsv": "Fraction of the RNA that each cell type gives",
    "qc.tsv": "What to distrust, sample by sample",
    "report.html": "The report as one file that needs no network",
    "hpvade_fractions_mqc.json": "The fractions for a report of MultiQC",
    "hpvade_quality_mqc.json": "The quality of the samples for a report of MultiQC",
    "signature.tsv.gz": "Expression of each gene in each cell type, CPM",
    "history.csv": "Losses of each epoch of training",
    "run.json": "Versions, seed, checksums and decisions of the run",
    "truth.tsv": "True fractions of the demo's simulated samples",
    "accuracy.tsv": "How near the fractions come to that truth",
}


class Result(NamedTuple):
    """A file of the results."""

    name: str
    meaning: str
    size: str


def files_of(folder: Path) -> dict[str, Path]:
    """Map all files of a folder, by their names relative to it with ``/`` between the parts."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def list_results(folder: Path) -> list[Result]:
    """List what can be downloaded, the best known first."""
    known = list(_MEANINGS)
    files = files_of(folder)
    order = sorted(files, key=lambda name: (known.index(name) if name in known else len(known), name))
    return [Result(name, _MEANINGS.get(name, ""), size_text(files[name].stat().st_size)) for name in order]


class _Outbox:
    """What a zip file is written to; it only goes forward."""

    def __init__(self) -> None:
        self._pieces = bytearray()

    def write(self, data: bytes) -> int:
        self._pieces += data
        return len(data)

    def flush(self) -> None:
        """There is nothing behind this."""

    def close(self) -> None:
        """Keep what is still to be taken."""

    def taken(self) -> bytes:
        pieces, self._pieces = bytes(self._pieces), bytearray()
        return pieces


def zip_of(folder: Path) -> Iterator[bytes]:
    """Yield a zip file of a folder by pieces; nothing is written to disk."""
    outbox = _Outbox()
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files_of(folder).items():
            entry = zipfile.ZipInfo.from_file(path, f"{ZIP}/{name}")
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".gz") else zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(entry, "w") as target:
                while piece := source.read(_PIECE):
                    target.write(piece)
                    yield outbox.taken()
    yield outbox.taken()
