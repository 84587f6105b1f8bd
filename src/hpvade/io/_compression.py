"""Opening text, whatever it is compressed with and however it is encoded; files are recognised by content."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from hpvade._errors import FileFormatError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SIGNATURES: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_START = 2**16  # bytes that show an encoding
_PIECE = 2**20
_LATIN = "windows-1252 where it is not UTF-8"


def find_compression(path: Path) -> str:
    """Return what a file is compressed with: gzip, bzip2, xz, zip or zstd; empty if with nothing."""
    with path.open("rb") as handle:
        start = handle.read(6)
    return next((name for signature, name in _SIGNATURES.items() if start.startswith(signature)), "")


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file and unpack it while it is read.

    Raises
    ------
    FileFormatError
        If it is a zip file with several files, or with a password.
    """
    compression = find_compression(path)
    if compression == "zip":
        return _open_zip(path)
    if compression == "zstd":
        return _open_zstd(path)
    openers: dict[str, Callable[[Path], Any]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    return openers[compression](path) if compression else path.open("rb")


def archived_files(path: Path) -> list[str]:
    """List the files in a zip file, without those that file managers add."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return [
        name
        for name in names
        if not name.endswith(("/", ".DS_Store", "Thumbs.db")) and not name.startswith("__MACOSX/")
    ]


def _open_zip(path: Path) -> IO[bytes]:
    names = archived_files(path)
    if len(names) != 1:
        found = "no file" if not names else f"{len(names)} files ({', '.join(names[:3])}, …)"
        msg = f"{path} is a zip file with {found}. Unpack it, and give the file or the folder in it."
        raise FileFormatError(msg)
    try:
        return zipfile.ZipFile(path).open(names[0])
    except RuntimeError as error:  # a password, or a rare method of compression
        msg = f"{path} cannot be unpacked ({error}). Unpack it first."
        raise FileFormatError(msg) from error


def _open_zstd(path: Path) -> IO[bytes]:
    from numcodecs.zstd import Zstd  # noqa: PLC0415 - rarely needed

    try:
        return io.BytesIO(Zstd().decode(path.read_bytes()))
    except RuntimeError as error:
        msg = f"{path} cannot be unpacked ({error}). It may be truncated. Download or export it again."
        raise FileFormatError(msg) from error


def find_encoding(start: bytes) -> str:
    """Find the encoding of a text from its first bytes: UTF-16, or else UTF-8."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = start[::2], start[1::2]
    if odd.count(0) > len(odd) // 3 and not even.count(0):
        return "utf-16-le"
    if even.count(0) > len(even) // 3 and not odd.count(0):
        return "utf-16-be"
    return "utf-8-sig"


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


codecs.register_error(_LATIN, _as_windows_1252)


def open_text(path: Path) -> IO[str]:
    """Open a text file, compressed or not; a byte-order mark is skipped.

    It is read as UTF-16 if it looks like that, otherwise as UTF-8; bytes that are not valid UTF-8 are read as
    Windows-1252, which includes Latin-1.
    """
    handle: Any = open_bytes(path)
    buffer = io.BufferedReader(handle, _START)
    return io.TextIOWrapper(buffer, encoding=find_encoding(buffer.peek(_START)), errors=_LATIN)


@dataclass(frozen=True)
class Text:
    """A text to be read as a table.

    Attributes
    ----------
    path
        The file that the user gave, for messages.
    stored
        Where the text is, if not in that file: an Excel sheet is first exported.
    """

    path: Path
    stored: Path | None = None

    def open(self) -> IO[str]:
        """Open the text from its start."""
        return open_text(self.stored or self.path)

    def is_unicode(self) -> bool:
        """Whether all of it is valid Unicode text; reads it as a whole."""
        with open_bytes(self.stored or self.path) as handle:
            piece = handle.read(_PIECE)
            decoder = codecs.getincrementaldecoder(find_encoding(piece[:_START]))()
            try:
                while piece:
                    decoder.decode(piece)
                    piece = handle.read(_PIECE)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                return False
        return True
