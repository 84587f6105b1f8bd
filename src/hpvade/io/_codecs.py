"""Codecs of zarr stores, checked in the metadata before data are read: some run code that is in the data."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from hpvade._errors import FileFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Codecs that compress, reorder or convert numbers and texts. Others, such as pickle, make Python objects of
# bytes, or are unknown.
_HARMLESS = frozenset(
    (
        *("blosc", "zstd", "zlib", "gzip", "bz2", "lzma", "lz4", "lzf", "snappy", "zfpy", "pcodec"),
        *("shuffle", "delta", "fixedscaleoffset", "scale_offset", "quantize", "bitround", "packbits"),
        *("astype", "cast_value", "categorize", "bytes", "endian", "transpose", "sharding_indexed"),
        *("crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"),
        *("vlen-utf8", "vlen-bytes", "vlen-array", "base64", "reshape", "squeeze"),
    )
)
_METADATA = (".zarray", ".zmetadata", "zarr.json")
# Where metadata name codecs → the key of the name.
_CODEC_KEYS = {"compressor": "id", "filters": "id", "codecs": "name", "index_codecs": "name"}
_FREE = ("attributes", ".zattrs")  # what the user wrote
_MAX_BYTES = 2**28  # of one file of metadata


def check_codecs(store: Path) -> None:
    """Refuse a zarr store, a folder or a zip file, with a codec that may run code.

    Raises
    ------
    FileFormatError
        If an array names a codec that is not known to be harmless.
    """
    for name, content in _metadata(store):
        for codec in _codecs(json.loads(content)):
            short = str(codec).removeprefix("numcodecs.")
            if short not in _HARMLESS:
                msg = (
                    f"{store}: '{name}' names the codec '{codec}', which may run code that is in the file, "
                    "so it was not read. Write the store again with AnnData's write_zarr, or use h5ad."
                )
                raise FileFormatError(msg)


def _metadata(store: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file of metadata in a store."""
    if store.is_file():
        with zipfile.ZipFile(store) as archive:
            for entry in archive.infolist():
                if PurePosixPath(entry.filename).name in _METADATA:
                    with archive.open(entry) as handle:
                        yield entry.filename, _limited(handle.read(_MAX_BYTES + 1), store, entry.filename)
        return
    seen: set[str] = set()
    for folder, folders, files in os.walk(store, followlinks=True):
        seen.add(os.path.realpath(folder))
        places = {name: os.path.realpath(Path(folder, name)) for name in folders}
        for name, place in places.items():
            if not Path(place).is_relative_to(os.path.realpath(store)):
                msg = f"{store}: '{name}' is a link to {place}, outside of the store, so it was not read."
                raise FileFormatError(msg)
        folders[:] = [name for name, place in places.items() if place not in seen]
        for name in sorted(set(files).intersection(_METADATA)):
            path = Path(folder, name)
            with path.open("rb") as handle:
                shown = path.relative_to(store).as_posix()
                yield shown, _limited(handle.read(_MAX_BYTES + 1), store, shown)


def _limited(content: bytes, store: Path, name: str) -> bytes:
    if len(content) > _MAX_BYTES:
        msg = f"{store}: '{name}' is larger than {_MAX_BYTES // 2**20} MB. Write the store again."
        raise FileFormatError(msg)
    return content


def _codecs(metadata: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield the names of all codecs in the metadata of an array, or of a whole store."""
    pending = [metadata]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            for key, name in _CODEC_KEYS.items():
                for codec in _list(value.get(key)):
                    yield codec[name] if isinstance(codec, dict) and name in codec else str(codec)
            pending += [part for key, part in value.items() if not key.endswith(_FREE)]


def _list(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
