"""A form with files, written to disk while it arrives; what is not what it should be is refused at once."""

from __future__ import annotations

import errno
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from hpvade.app._contents import check_h5ad, look_at, unpack_model
from hpvade.app._request_error import RequestError
from hpvade.app._text import BeginsWith, Check, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_multipart.multipart import MultipartCallbacks
    from starlette.requests import Request

TABLES: Final = (".tsv", ".csv", ".txt", ".gct", ".genes.results")
BULKS: Final = (*TABLES, *(f"{ending}.gz" for ending in TABLES), ".h5ad")
LABEL_MAPS: Final = (".tsv", ".csv", ".txt")
# Field of the form → endings of what may be uploaded there.
ENDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "reference": (".h5ad", ".zip"),
    "bulk": BULKS,
    "label_map": LABEL_MAPS,
}
_LONGEST_NAME = 255
_LONGEST_FIELD = 10_000  # bytes
_MOST_PARTS = 40
_UNPACKED = 4  # times the limit of an upload


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was taken: where it is, and what its owner calls it."""

    path: Path
    name: str

    @property
    def folder(self) -> Path:
        """A folder of its own."""
        return self.path.parent


@dataclass(slots=True)
class Form:
    """What a form held: texts and files by the names of their fields."""

    texts: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def discard(self) -> None:
        """Remove the files."""
        for upload in self.uploads.values():
            shutil.rmtree(upload.folder, ignore_errors=True)


async def receive_form(request: Request, *, folder: Path, most_bytes: int) -> Form:
    """Write the files of a form into a folder, each into one of its own, with a name made for it.

    Parameters
    ----------
    request
        ``multipart/form-data``.
    folder
        Where to write.
    most_bytes
        Of one upload; a file may unpack to four times as much.

    Raises
    ------
    RequestError
        A file is not what it should be; nothing of the form is then left.
    """
    _, options = parse_options_header(request.headers.get("content-type"))
    if b"boundary" not in options:
        msg = "This is not a form with files. Use the page itself."
        raise RequestError(msg)
    reader = _Reader(folder, most_bytes=most_bytes * _UNPACKED)
    done = False
    try:
        parser = MultipartParser(options[b"boundary"], reader.callbacks())
        async for piece in request.stream():
            await to_thread.run_sync(parser.write, piece)
        parser.finalize()
        for what, upload in reader.form.uploads.items():
            await to_thread.run_sync(_look_at, what, upload, most_bytes * _UNPACKED)
        done = True
    except FormParserError as error:
        msg = "The form arrived damaged. Send it again."
        raise RequestError(msg) from error
    except ClientDisconnect as error:
        msg = "The upload was broken off."
        raise RequestError(msg) from error
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        msg = "The disk of temporary files is full. Free some space, or set TMPDIR to another place."
        raise RequestError(msg, status=HTTPStatus.INSUFFICIENT_STORAGE) from error
    finally:
        reader.close()
        if not done:
            reader.form.discard()
    return reader.form


def _look_at(what: str, upload: Upload, most_bytes: int) -> None:
    """Look into files that can only be judged as a whole."""
    settings = {"name": upload.name, "most_bytes": most_bytes}
    if upload.path.suffix == ".h5ad":
        look_at(check_h5ad, upload.path, **settings, dense=what == "bulk")
    elif upload.path.suffix == ".zip":
        look_at(unpack_model, upload.path, **settings, folder=upload.folder / "model")
        upload.path.unlink()


class _Reader:
    """Takes the parts of a form from the parser."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self.form = Form()
        self._folder, self._most_bytes = folder, most_bytes
        self._n_parts = 0
        self._header = self._value = self._disposition = b""
        self._name = ""
        self._text = bytearray()
        self._file: IO[bytes] | None = None
        self._check: Check | None = None
        self._is_file = False

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _begin(self) -> None:
        self._n_parts += 1
        if self._n_parts > _MOST_PARTS:
            msg = f"The form has more than {_MOST_PARTS} parts. Use the page itself."
            raise RequestError(msg)
        self._disposition = b""
        self._text = bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode(errors="replace")
        self._is_file = b"filename" in options
        if name := options.get(b"filename", b"").decode(errors="replace"):
            self._open(name)

    def _open(self, name: str) -> None:
        if self._name not in ENDINGS or self._name in self.form.uploads:
            msg = f"No file is expected in '{self._name}'. Use the page itself."
            raise RequestError(msg)
        ending = _ending(name, ENDINGS[self._name])
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        upload = Upload(folder / f"{_stem(name, ending) or self._name}{ending}", name)
        self.form.uploads[self._name] = upload
        self._file = upload.path.open("xb")
        self._check = _check_of(ending, name=name, most_bytes=self._most_bytes)

    def _data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._file is not None and self._check is not None:
            self._check.feed(piece)
            self._file.write(piece)
        else:
            self._text += piece
            if len(self._text) > _LONGEST_FIELD:
                msg = f"The field '{self._name}' is too long. Use the page itself."
                raise RequestError(msg)

    def _end(self) -> None:
        if self._file is not None and self._check is not None:
            self._file.close()
            self._file = None
            self._check.finish()
        elif not self._is_file:
            self.form.texts[self._name] = self._text.decode(errors="replace")


def _check_of(ending: str, *, name: str, most_bytes: int) -> Check:
    if ending == ".h5ad":
        return BeginsWith(name, b"\x89HDF\r\n\x1a\n", kind="an h5ad file")
    if ending == ".zip":
        return BeginsWith(name, b"PK\x03\x04", kind="a zip file")
    return Table(name, most_bytes=most_bytes)


def _ending(name: str, allowed: tuple[str, ...]) -> str:
    """Refuse a name that is none, and return its ending as it stands in the list of those allowed."""
    is_path = bool(set(name) & set("/\\")) or name in {".", ".."}
    if is_path or not name.isprintable() or len(name) > _LONGEST_NAME:
        msg = f"'{name[:_LONGEST_NAME]}' is not the plain name of a file, so it was not taken."
        raise RequestError(msg)
    found = next((ending for ending in allowed if name.lower().endswith(ending)), None)
    if found is None:
        msg = f"'{name}' cannot be used here. Expected a file that ends in {', '.join(allowed)}."
        raise RequestError(msg, status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    return found


def _stem(name: str, ending: str) -> str:
    """Make a name for the disk, of plain letters and digits only."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name[: -len(ending)])[:60].strip("_")
