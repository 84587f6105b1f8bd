"""The error of a request that the server refuses."""

from __future__ import annotations

from hpvade._errors import InputError


class RequestError(InputError):
    """A request that is refused; the message is shown to the user.

    Parameters
    ----------
    message
        What, where, what was found, and the remedy.
    status
        HTTP status.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
