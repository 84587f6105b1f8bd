"""From the choice of an address to the last file that is cleaned up."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

import uvicorn

from hpvade._errors import InputError
from hpvade.app._guard import Address
from hpvade.app._server import make_app
from hpvade.app._session import Session
from hpvade.app._workspace import workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PATIENCE = 1  # seconds that requests may take to end when the server does


def serve(
    data: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    most_bytes: int,
    on_ready: Callable[[str], None],
) -> None:
    """Serve the local page until Ctrl-C, or until the system ends the program; then remove all it wrote.

    Parameters
    ----------
    data
        Folder whose files can be picked.
    host
        Address to listen at.
    port
        Port to listen at; 0 is any that is free.
    most_bytes
        Of the files of one upload, together.
    on_ready
        Called once the server listens, with the address that lets in.

    Raises
    ------
    InputError
        ``data`` is no folder, or the address cannot be used.
    KeyboardInterrupt
        After Ctrl-C, when all is cleaned up.
    """
    if not data.is_dir():
        msg = f"--data {data} is not a folder. Name the folder with your files."
        raise InputError(msg)
    with _listening(host, port) as listener, workspace() as folder, _ends_in_order():
        address = Address(host, listener.getsockname()[1])
        token = secrets.token_urlsafe(24)
        session = Session(folder, data=data.resolve())
        app = make_app(session, token=token, address=address, most_bytes=most_bytes)
        try:
            session.warm()
            _Server(app, on_ready=lambda: on_ready(f"{_url(address)}/?token={token}")).run([listener])
        finally:
            session.close()


class _Server(uvicorn.Server):
    """Tells when it listens."""

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
                timeout_graceful_shutdown=_PATIENCE,
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
            "Give another --port; --port 0 takes any that is free."
        )
        raise InputError(msg) from error
    with listener:
        yield listener


@contextlib.contextmanager
def _ends_in_order() -> Iterator[None]:
    """Have the signals that end a program end it by an exception, so that it cleans up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: object) -> NoReturn:
        sys.exit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _url(address: Address) -> str:
    """Write the address as a browser on this machine, or for a server open to others on any, needs it."""
    host = socket.gethostname() if address.host in {"0.0.0.0", "::"} else address.host
    return f"http://[{host}]:{address.port}" if ":" in host else f"http://{host}:{address.port}"
