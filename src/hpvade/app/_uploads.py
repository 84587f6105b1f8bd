"""Uploads: a form is received, and its files are checked and kept in folders of their own."""

from __future__ import annotations

import errno
import re
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from hpvade._formats import BULK_FORMATS, COMPRESSIONS, REFERENCE_FORMATS, endings
from hpvade.app._request_error import RequestError
from hpvade.app._upload_checks import check_upload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

# A zarr store is a folder; what cannot be unpacked in pieces could unpack to anything.
BULK_ENDINGS: Final = tuple(
    ending for ending in endings(BULK_FORMATS) if not ending.endswith((".zarr", ".zip", ".zst"))
)
REFERENCE_ENDINGS: Final = endings(REFERENCE_FORMATS)
SMALL_TABLE_ENDINGS: Final = (".tsv", ".csv", ".txt")
# Field of the form → endings of the files that it accepts.
ENDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "reference": (*(ending for ending in REFERENCE_ENDINGS if ending.startswith(".h5")), ".zip"),
    "bulk": BULK_ENDINGS,
    "label_map": SMALL_TABLE_ENDINGS,
    "labels": SMALL_TABLE_ENDINGS,
}
_MAX_NAME_LENGTH = 255
_MAX_FIELDS, _MAX_FIELD_BYTES = 40, 10_000
_MAX_UNPACKED = 4  # times the limit of an upload


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was accepted: where it is, and the name that the user gave it."""

    path: Path
    name: str

    @property
    def folder(self) -> Path:
        """The folder that holds this upload alone."""
        return self.path.parent


@dataclass(slots=True)
class Form:
    """The texts and files of a form, by the names of their fields."""

    texts: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def discard(self) -> None:
        """Remove the files."""
        for upload in self.uploads.values():
            shutil.rmtree(upload.folder, ignore_errors=True)


async def receive_form(request: Request, *, folder: Path, max_bytes: int) -> Form:
    """Receive a form and keep its files, each in a new folder and under a safe name.

    Starlette writes the files to unnamed temporary files; `AccessMiddleware` bounds their size. They are
    kept under a name only once the whole form has arrived.

    Parameters
    ----------
    request
        ``multipart/form-data``.
    folder
        Where the new folders are made.
    max_bytes
        Maximum size of one upload; a file may unpack to four times as much.

    Raises
    ------
    RequestError
        A file is not what it should be; no file of the form is kept.
    """
    form = Form()
    with ExitStack() as on_error:
        on_error.callback(form.discard)
        try:
            async with request.form(
                max_files=len(ENDINGS), max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES
            ) as parts:
                for name, part in parts.multi_items():
                    if isinstance(part, str):
                        form.texts[name] = part
                    elif part.filename:  # empty where no file was chosen
                        upload = _new_upload(form, name, part.filename, folder=folder)
                        await run_in_threadpool(_keep, upload, part.file)
            for name, upload in form.uploads.items():
                await run_in_threadpool(
                    check_upload,
                    upload.path,
                    name=upload.name,
                    max_bytes=max_bytes * _MAX_UNPACKED,
                    dense=name == "bulk",
                )
        except HTTPException as error:  # of Starlette's form parser
            msg = f"The form is not valid: {error.detail} Use the hpvade app page."
            raise RequestError(msg) from error
        except ClientDisconnect as error:
            msg = "The upload was interrupted."
            raise RequestError(msg) from error
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            msg = "The disk of temporary files is full. Free some space, or set TMPDIR to another folder."
            raise RequestError(msg, status=HTTPStatus.INSUFFICIENT_STORAGE) from error
        if not (form.texts or form.uploads):
            msg = "The form is empty. Use the hpvade app page."
            raise RequestError(msg)
        on_error.pop_all()
    return form


def _new_upload(form: Form, field_name: str, name: str, *, folder: Path) -> Upload:
    """Add an upload to a form, in a new folder."""
    if field_name not in ENDINGS or field_name in form.uploads:
        msg = f"The field '{field_name}' does not accept a file. Use the hpvade app page."
        raise RequestError(msg)
    ending = _ending(name, ENDINGS[field_name])
    safe_name = f"{_safe_stem(name, ending) or field_name}{ending}"
    upload = Upload(Path(tempfile.mkdtemp(dir=folder)) / safe_name, name)
    form.uploads[field_name] = upload
    return upload


def _keep(upload: Upload, source: IO[bytes]) -> None:
    with upload.path.open("xb") as target:
        shutil.copyfileobj(source, target)


def _ending(name: str, allowed: tuple[str, ...]) -> str:
    """Check a file name, and return its ending as it is spelt in ``allowed``."""
    is_path = bool(set(name) & set("/\\")) or name in {".", ".."}
    if is_path or not name.isprintable() or len(name) > _MAX_NAME_LENGTH:
        msg = f"'{name[:_MAX_NAME_LENGTH]}' is not a plain file name. Rename the file."
        raise RequestError(msg)
    found = next((ending for ending in allowed if name.lower().endswith(ending)), None)
    if found is None:
        plain = [ending for ending in allowed if not ending.endswith(COMPRESSIONS) or ending == ".zip"]
        msg = f"'{name}' cannot be used here. Expected a file name that ends in {', '.join(plain)}."
        raise RequestError(msg, status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    return found


def _safe_stem(name: str, ending: str) -> str:
    """Return the name without its ending, with plain letters and digits only."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name[: -len(ending)])[:60].strip("_")
