"""Access to the pages: the host, token, origin and size of every request are checked first."""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse

from hpvade.app._formatting import format_size
from hpvade.app._request_error import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = "/static/"  # files of the package, the same for everybody; they need no token
UPLOAD = "/check"
_MAX_REQUEST = 64 * 1024  # bytes of a request without files
_HOST = re.compile(r"(?P<name>[a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]+)?")
_MAX_FIELDS = 1024 * 1024  # bytes of an upload besides its files

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    # Not no-referrer: browsers would then hide the origin of our own forms, which is checked.
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
        """Whether only programs on this machine can reach it."""
        return is_loopback(self.host)

    @property
    def cookie(self) -> str:
        """Name of the cookie with the token; it has the port, because browsers send cookies to every port."""
        return f"hpvade_{self.port}"

    def allows_host(self, name: str) -> bool:
        """Whether a browser may use this name for the server.

        A hostile site can make its own name resolve to this machine (DNS rebinding), but not an IP address
        or a name of ours. Starlette's ``TrustedHostMiddleware`` compares with a fixed list of names, which
        cannot express "any loopback address" and, for a server that is open to others, "any IP address".
        """
        if is_loopback(name):
            return True
        if self.is_loopback:
            return False
        return _is_ip(name) or name.lower() in {self.host.lower(), socket.gethostname().lower()}


@dataclass(frozen=True, slots=True)
class AccessMiddleware:
    """ASGI middleware that accepts only requests of the page itself, up to a maximum size.

    Attributes
    ----------
    app
        The application behind it.
    token
        The token that a user needs.
    address
        Where the server listens.
    max_upload_bytes
        Maximum size of the files of one request.
    error_response
        Makes the response to a refused request.
    """

    app: ASGIApp
    token: str
    address: Address
    max_upload_bytes: int
    error_response: Callable[[Request, RequestError], Response]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or respond with what is wrong."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        send = _with_headers(send)
        max_bytes = self.max_upload_bytes + _MAX_FIELDS if scope["path"] == UPLOAD else _MAX_REQUEST
        respond: ASGIApp = self.app
        try:
            self._check_host(request)
            if "token" in request.query_params:
                respond = self._sign_in(request)
            else:
                self._check_token(request)
                self._check_origin(request)
                self._check_length(request, max_bytes)
                receive = self._counted(receive, max_bytes)
        except RequestError as error:
            respond = self.error_response(request, error)
        await respond(scope, receive, send)

    def _check_host(self, request: Request) -> None:
        host = request.headers.get("host", "")
        found = _HOST.fullmatch(host)
        name = found["name"].strip("[]").lower() if found else ""
        if not self.address.allows_host(name):
            msg = f"'{host}' is not an address of this page. Open the address that hpvade app printed."
            raise RequestError(msg, status=HTTPStatus.MISDIRECTED_REQUEST)

    def _sign_in(self, request: Request) -> Response:
        """Keep the token in a cookie, and redirect to the address without it."""
        self._compare(request.query_params["token"])
        rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
        path = "/" + request.scope["path"].lstrip("/")  # //example.org would lead to another site
        response = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, HTTPStatus.SEE_OTHER)
        response.set_cookie(self.address.cookie, self.token, httponly=True, samesite="strict")
        return response

    def _check_token(self, request: Request) -> None:
        # Not request.url.path: it is made of the host header as well.
        if not request.scope["path"].startswith(STATIC):
            self._compare(request.cookies.get(self.address.cookie, ""))

    def _compare(self, given: str) -> None:
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            msg = (
                "Only the user who started hpvade app can open this page. Open the complete address that it "
                "printed, including the token at the end."
            )
            raise RequestError(msg, status=HTTPStatus.FORBIDDEN)

    def _check_origin(self, request: Request) -> None:
        """Refuse requests that another page makes the browser send."""
        if request.method in {"GET", "HEAD"}:
            return
        origin = request.headers.get("origin", "null")
        if origin == "null":
            is_ours = request.headers.get("sec-fetch-site") == "same-origin"
        else:
            is_ours = origin in {f"{scheme}://{request.headers['host']}" for scheme in ("http", "https")}
        if not is_ours:
            msg = "This request came from another page and was refused. Use the page of hpvade app itself."
            raise RequestError(msg, status=HTTPStatus.FORBIDDEN)

    def _check_length(self, request: Request, max_bytes: int) -> None:
        if int(request.headers.get("content-length", 0)) > max_bytes:
            raise self._too_large()

    def _counted(self, receive: Receive, max_bytes: int) -> Receive:
        """Count the bytes that arrive: the declared length may be wrong or missing.

        Above the maximum, the server discards what still arrives, so that the browser shows the response.
        """
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > max_bytes:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> RequestError:
        msg = (
            f"The files are larger than {format_size(self.max_upload_bytes)} in total. Start hpvade app with "
            "a larger --max-upload, or move the files to the --data folder and select them there."
        )
        return RequestError(msg, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach this host."""
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
