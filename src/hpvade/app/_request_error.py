"""What the page refuses, and why."""

from __future__ import annotations

from hpvade._errors import InputError


class RequestError(InputError):
    """A request that is not carried out; the message is shown to whoever made it.

    Parameters
    ----------
    message
        What, where, what was found, and the remedy.
    status
        Of HTTP.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def size_text(n_bytes: int) -> str:
    """Tell a size as people do."""
    size = float(n_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
