"""``hpvade app``."""

from __future__ import annotations

import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from hpvade._errors import InputError
from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal

_MB = 1_000_000


EXAMPLE = "hpvade app --data my-project"


def app(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 chooses a free one.")] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen on; by default reachable from this machine only.")
    ] = "127.0.0.1",
    data: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder whose files can be selected.")
    ] = Path(),
    max_upload: Annotated[
        int,
        typer.Option(
            metavar="MB", min=1, help="Maximum size of an upload. Files selected from --data may be larger."
        ),
    ] = 2_000,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    quiet: o.Quiet = False,
) -> None:
    """Open a local web page for the whole analysis."""
    terminal = Terminal(quiet=quiet)
    try:
        from hpvade.app import is_loopback, serve
    except ModuleNotFoundError as error:
        missing = (error.name or "hpvade").partition(".")[0]
        if missing == "hpvade":
            raise
        msg = f"The local page needs '{missing}', which is not installed: pip install 'hp-vade[app]'."
        raise InputError(msg) from error
    if not is_loopback(host):
        terminal.note(
            f"Warning: other machines on the network can reach this page at {host}, and the connection "
            "is not encrypted. On a server, keep the default and use ssh -L instead."
        )

    def ready(url: str) -> None:
        print(url, flush=True)  # the result; the address holds the access token
        terminal.note("Open this address in a browser. No data leaves this machine. Press Ctrl-C to stop.")
        if not no_browser:  # a browser in the terminal would keep the server from answering it
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    serve(data, host=host, port=port, max_upload_bytes=max_upload * _MB, on_ready=ready)
