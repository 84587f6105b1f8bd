"""The server: it listens until it is ended, and then removes all that it wrote."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from typing import TYPE_CHECKING

import uvicorn

from hpvade._errors import InputError
from hpvade._process import exit_on_signals
from hpvade.app._access import Address
from hpvade.app._routes import make_app
from hpvade.app._session import Session
from hpvade.app._temporary_folder import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SHUTDOWN_SECONDS = 1  # for requests to finish when the server ends


def serve(
    data: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    max_upload_bytes: int,
    on_ready: Callable[[str], None],
) -> None:
    """Serve the local page until Ctrl-C or a signal ends the program; then remove all that it wrote.

    Parameters
    ----------
    data
        Folder with files to choose from.
    host
        Address to listen at.
    port
        Port to listen at; 0 takes any free port.
    max_upload_bytes
        Maximum total size of the files of one upload.
    on_ready
        Called once the server listens, with the address that includes the token.

    Raises
    ------
    InputError
        ``data`` is not a folder, or the address cannot be used.
    KeyboardInterrupt
        After Ctrl-C, when all files are removed.
    """
    if not data.is_dir():
        msg = f"--data {data} is not a folder. Pass the folder with your files."
        raise InputError(msg)
    with _listening(host, port) as listener, temporary_folder() as folder, exit_on_signals():
        address = Address(host, listener.getsockname()[1])
        token = secrets.token_urlsafe(24)
        session = Session(folder, data=data.resolve())
        app = make_app(session, token=token, address=address, max_upload_bytes=max_upload_bytes)
        try:
            session.start_worker()
            _Server(app, on_ready=lambda: on_ready(f"{_url(address)}/?token={token}")).run([listener])
        finally:
            session.close()


class _Server(uvicorn.Server):
    """A server that calls a function when it listens."""

    def __init__(self, app: Callable[..., object], *, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_level="error",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        msg = (
            f"The page cannot be served at {host}, port {port}: {reason}. "
            "Pass another --port; --port 0 takes any free port."
        )
        raise InputError(msg) from error
    with listener:
        yield listener


def _url(address: Address) -> str:
    """Return the address for a browser; if the server is open to others, it works on their machines too."""
    host = socket.gethostname() if address.host in {"0.0.0.0", "::"} else address.host
    return f"http://[{host}]:{address.port}" if ":" in host else f"http://{host}:{address.port}"
