"""The Dask cluster that reads large references, if there is one."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hpvade._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

_PATIENCE = "20s"


@contextmanager
def dask_client(scheduler: str | None) -> Iterator[Client | None]:
    """Yield a client of a Dask scheduler; without one the active client of this process, or None.

    Parameters
    ----------
    scheduler
        Its address, as ``tcp://host:8786``, or its scheduler file.

    Raises
    ------
    InputError
        Dask is not installed, or nothing answers there.
    """
    if scheduler is None:
        yield _active()
        return
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError as error:
        msg = "--dask needs Dask: pip install 'hp-vade[dask]'."
        raise InputError(msg) from error
    is_file = scheduler.endswith(".json")
    if is_file and not Path(scheduler).exists():  # Dask would wait for it
        msg = f"{scheduler} does not exist. Give the file that dask scheduler --scheduler-file writes."
        raise InputError(msg)
    try:
        client = Client(
            None if is_file else scheduler,
            scheduler_file=scheduler if is_file else None,
            timeout=_PATIENCE,
            set_as_default=False,
        )
    except (OSError, ValueError) as error:
        msg = f"No Dask scheduler answers at {scheduler} ({error}). Give its address, as tcp://host:8786."
        raise InputError(msg) from error
    with client:
        yield client


def _active() -> Client | None:
    if "distributed" not in sys.modules:
        return None
    from distributed import get_client  # noqa: PLC0415 - an extra

    try:
        return get_client()
    except ValueError:  # there is none
        return None
