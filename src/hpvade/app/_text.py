"""Tables of text, looked at while they arrive: plain or compressed, never held as a whole."""

from __future__ import annotations

import zlib
from http import HTTPStatus
from typing import Protocol

from hpvade.app._request_error import RequestError, size_text

_LOOKED_AT = 64 * 1024  # bytes at the start of a table
_PIECE = 1024 * 1024  # bytes that are unpacked at a time
_SEPARATORS = b"\t,; "
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r"))

# Tables of expression shrink to a fifth or a tenth, sparse ones to a fiftieth; a bomb to a thousandth.
MOST_TIMES = 100
ANY_TIMES = 64 * 1024 * 1024  # bytes that anything may unpack to


class Check(Protocol):
    """Takes the bytes of a file in order."""

    def feed(self, data: bytes) -> None:
        """Look at the next bytes; raises `RequestError`."""

    def finish(self) -> None:
        """Look at what could not be judged before the end; raises `RequestError`."""


class BeginsWith:
    """A file that begins as its kind does.

    Parameters
    ----------
    name
        Of the file, for messages.
    start
        Its first bytes.
    kind
        What such a file is called.
    """

    def __init__(self, name: str, start: bytes, *, kind: str) -> None:
        self.name, self.start, self.kind = name, start, kind
        self._seen = b""

    def feed(self, data: bytes) -> None:
        """Compare the first bytes."""
        if len(self._seen) < len(self.start):
            self._seen += data[: len(self.start)]
            if not self.start.startswith(self._seen[: len(self.start)]):
                raise _not_of_kind(self.name, self._seen, kind=self.kind)

    def finish(self) -> None:
        """Refuse a file that ended before."""
        if len(self._seen) < len(self.start):
            raise _not_of_kind(self.name, self._seen, kind=self.kind)


class Table:
    """A table of text; also gzipped, whatever its name says, as the readers of hpvade take it.

    Parameters
    ----------
    name
        Of the file, for messages.
    most_bytes
        How much it may unpack to.
    """

    def __init__(self, name: str, *, most_bytes: int) -> None:
        self._text = _Text(name)
        self._inner: Check | None = None
        self._start = b""
        self._gunzip = Gunzip(name, self._text, most_bytes=most_bytes)

    def feed(self, data: bytes) -> None:
        """Pass the bytes on to what they are for."""
        if self._inner is None:
            self._start += data
            if len(self._start) < 2:
                return
            data = self._start
            self._inner = self._gunzip if data.startswith(b"\x1f\x8b") else self._text
        self._inner.feed(data)

    def finish(self) -> None:
        """Judge the end."""
        if self._inner is None:
            self._text.feed(self._start)
        (self._inner or self._text).finish()


class _Text:
    def __init__(self, name: str) -> None:
        self.name = name
        self._start = b""

    def feed(self, data: bytes) -> None:
        if len(self._start) < _LOOKED_AT:
            self._start += data[:_LOOKED_AT]
        if len(data.translate(None, _CONTROL)) < len(data):
            raise _not_of_kind(self.name, self._start, kind="a table of plain text")

    def finish(self) -> None:
        lines = self._start.splitlines()
        header = next((line for line in lines if not line.startswith(b"#")), b"")
        if not any(separator in header for separator in _SEPARATORS):
            msg = (
                f"'{self.name}' is not a table: its first line has one column. Expected names in the first "
                "row and the first column, separated by tabs, commas or semicolons."
            )
            raise RequestError(msg, status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


class Gunzip:
    """Unpacks gzip by pieces, which are counted and thrown away once they are looked at.

    Parameters
    ----------
    name
        Of the file, for messages.
    inner
        What looks at the unpacked bytes.
    most_bytes
        How much it may unpack to.
    """

    def __init__(self, name: str, inner: Check, *, most_bytes: int) -> None:
        self.name, self.inner, self.most_bytes = name, inner, most_bytes
        self._packed = self._unpacked = 0
        self._member = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> None:
        """Unpack the next bytes."""
        self._packed += len(data)
        while data:
            if self._member.eof:  # another may follow, or zeros that fill a block of a tape
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._member = zlib.decompressobj(wbits=31)
            try:
                piece = self._member.decompress(data, _PIECE)
            except zlib.error as error:
                raise self._damaged(str(error)) from error
            self._take(piece)
            data = self._member.unconsumed_tail or self._member.unused_data

    def finish(self) -> None:
        """Refuse a file that is cut off."""
        self._take(self._member.flush())
        if not self._member.eof:
            reason = "it is cut off"
            raise self._damaged(reason)
        self.inner.finish()

    def _take(self, piece: bytes) -> None:
        self._unpacked += len(piece)
        refuse_bomb(self.name, packed=self._packed, unpacked=self._unpacked, most_bytes=self.most_bytes)
        self.inner.feed(piece)

    def _damaged(self, reason: str) -> RequestError:
        msg = f"'{self.name}' cannot be unpacked ({reason}). Fetch or export it again."
        return RequestError(msg, status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def refuse_bomb(name: str, *, packed: int, unpacked: int, most_bytes: int) -> None:
    """Refuse what unpacks, or says that it would unpack, to far more than it is.

    Raises
    ------
    RequestError
        More than ``most_bytes``, or more than `MOST_TIMES` its size where that is more than `ANY_TIMES`.
    """
    if unpacked > most_bytes or unpacked > max(ANY_TIMES, MOST_TIMES * packed):
        msg = (
            f"'{name}' of {size_text(packed)} would unpack to {size_text(unpacked)} or more, so it was not "
            "taken. If it is what it should be, put it into the folder of --data and pick it there."
        )
        raise RequestError(msg, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _not_of_kind(name: str, start: bytes, *, kind: str) -> RequestError:
    """Say what a file is instead, as far as its first bytes tell."""
    found = "its content is something else"
    for begins, what in {
        b"\x80": "it looks like a Python pickle, which can hide a program, and is never opened",
        b"\x89HDF": "it is an HDF5 file; if it is an AnnData file, name it .h5ad",
        b"PK\x03\x04": "it is a zip file or a workbook; export the table as text",
        b"\xff\xfe": "it is text in UTF-16; save it as UTF-8",
        b"\xfe\xff": "it is text in UTF-16; save it as UTF-8",
    }.items():
        if start.startswith(begins):
            found = what
    msg = f"'{name}' is not {kind}: {found}."
    return RequestError(msg, status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
