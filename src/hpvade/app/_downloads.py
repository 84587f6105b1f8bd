"""The files of a finished run, one by one or as one zip file."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Final, NamedTuple

from hpvade.app._formatting import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

REPORT: Final = "report.html"
ZIP: Final = "hpvade-results"
_PIECE = 1024 * 1024  # bytes


class ResultFile(NamedTuple):
    """A file of the results, and what it holds."""

    name: str
    meaning: str
    size: str


def find_files(folder: Path) -> dict[str, Path]:
    """Return all files of a folder by their relative names, with ``/`` between the parts."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def list_results(folder: Path, meanings: Mapping[str, str]) -> list[ResultFile]:
    """List the files to download.

    Parameters
    ----------
    folder
        The results.
    meanings
        Name of a file → what it holds. Its files are first, in its order.
    """
    files = find_files(folder)
    names = [*(name for name in meanings if name in files), *(name for name in files if name not in meanings)]
    return [
        ResultFile(name, meanings.get(name, ""), format_size(files[name].stat().st_size)) for name in names
    ]


class _Buffer:
    """The target of a zip file that is sent while it is written; it cannot seek."""

    def __init__(self) -> None:
        self._content = bytearray()

    def write(self, data: bytes) -> int:
        self._content += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is no file."""

    def close(self) -> None:
        """Do nothing: the last piece is still to be taken."""

    def take(self) -> bytes:
        """Return what was written since the last call."""
        content, self._content = bytes(self._content), bytearray()
        return content


def stream_zip(folder: Path) -> Iterator[bytes]:
    """Yield a zip file of a folder in pieces; nothing is written to disk."""
    buffer = _Buffer()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in find_files(folder).items():
            entry = zipfile.ZipInfo.from_file(path, f"{ZIP}/{name}")
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".gz") else zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(entry, "w") as target:
                while piece := source.read(_PIECE):
                    target.write(piece)
                    yield buffer.take()
    yield buffer.take()
