"""What every request must pass before a page sees it: host, token, origin, size."""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse

from hpvade.app._request_error import RequestError, size_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PUBLIC = "/static/"  # files of the package; they look the same to everybody
UPLOAD = "/check"
_SMALL = 64 * 1024  # bytes of a request that carries no file
_HOST = re.compile(r"(?P<name>[a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]+)?")
_FORM = 1024 * 1024  # bytes that a form may take beside its files

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    # not no-referrer: browsers would then hide the origin of our own forms, which is checked
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Address(NamedTuple):
    """Where the server listens."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine reach it."""
        return is_loopback(self.host)

    @property
    def cookie(self) -> str:
        """Name of the cookie with the token: browsers do not part the cookies of two ports."""
        return f"hpvade_{self.port}"

    def answers_to(self, name: str) -> bool:
        """Whether a browser may know the server by this name.

        A page from elsewhere can have its own name point here, but neither an address in numbers nor a name
        that is ours.
        """
        if is_loopback(name):
            return True
        if self.is_loopback:
            return False
        return _is_ip(name) or name.lower() in {self.host.lower(), socket.gethostname().lower()}


@dataclass(frozen=True, slots=True)
class Guard:
    """ASGI middleware that lets in only what comes from the page itself and is not too large.

    Attributes
    ----------
    app
        What is guarded.
    token
        What a visitor must know.
    address
        Where the server listens.
    most_bytes
        Of the files of one request.
    refuse
        Makes the answer to a refused request.
    """

    app: ASGIApp
    token: str
    address: Address
    most_bytes: int
    refuse: Callable[[Request, RequestError], Response]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with what is wrong."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        send = _with_headers(send)
        most = self.most_bytes + _FORM if scope["path"] == UPLOAD else _SMALL
        answer: ASGIApp = self.app
        try:
            self._check_host(request)
            if "token" in request.query_params:
                answer = self._let_in(request)
            else:
                self._check_token(request)
                self._check_origin(request)
                self._check_length(request, most)
                receive = self._counted(receive, most)
        except RequestError as refusal:
            answer = self.refuse(request, refusal)
        await answer(scope, receive, send)

    def _check_host(self, request: Request) -> None:
        host = request.headers.get("host", "")
        found = _HOST.fullmatch(host)
        name = found["name"].strip("[]").lower() if found else ""
        if not self.address.answers_to(name):
            msg = f"This page does not answer to the name '{host}'. Open the address that hpvade app printed."
            raise RequestError(msg, status=HTTPStatus.MISDIRECTED_REQUEST)

    def _let_in(self, request: Request) -> Response:
        """Keep the token in a cookie, and lead to the address without it."""
        self._compare(request.query_params["token"])
        rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
        path = "/" + request.scope["path"].lstrip("/")  # //elsewhere.org would lead elsewhere
        answer = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, HTTPStatus.SEE_OTHER)
        answer.set_cookie(self.address.cookie, self.token, httponly=True, samesite="strict")
        return answer

    def _check_token(self, request: Request) -> None:
        if not request.scope["path"].startswith(PUBLIC):  # request.url is made of the host that was told, too
            self._compare(request.cookies.get(self.address.cookie, ""))

    def _compare(self, given: str) -> None:
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            msg = (
                "This page is open only to whoever started it. Open the whole address that hpvade app "
                "printed, with the token at its end."
            )
            raise RequestError(msg, status=HTTPStatus.FORBIDDEN)

    def _check_origin(self, request: Request) -> None:
        """Refuse what another page makes the browser send."""
        if request.method in {"GET", "HEAD"}:
            return
        origin = request.headers.get("origin", "null")
        if origin == "null":
            ours = request.headers.get("sec-fetch-site") == "same-origin"
        else:
            ours = urlsplit(origin).netloc == request.headers["host"]
        if not ours:
            msg = "This request came from another page, so it was not carried out. Use the page itself."
            raise RequestError(msg, status=HTTPStatus.FORBIDDEN)

    def _check_length(self, request: Request, most: int) -> None:
        if int(request.headers.get("content-length", 0)) > most:
            raise self._too_large()

    def _counted(self, receive: Receive, most: int) -> Receive:
        """Count what really comes: the length that was told may be wrong, or missing.

        Once it is too much, the server throws away what is still sent, so that a browser sees the answer.
        """
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> RequestError:
        msg = (
            f"The files are larger than {size_text(self.most_bytes)} together, so they were not taken. Start "
            "hpvade app with a larger --max-upload, or put them into the folder of its --data and pick them."
        )
        return RequestError(msg, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach it."""
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
