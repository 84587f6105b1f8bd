"""Requests that are refused before they reach a page."""

from __future__ import annotations

import contextlib
import http.client
import socket

import anyio
import pytest

from hpvade.app._access import AccessMiddleware, Address, is_loopback
from hpvade.app._request_error import RequestError

PATHS = ["/", "/check", "/run", "/report", "/download", "/download/fractions.tsv", "/progress/run", "/none"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("cookie", [None, "", "hpvade_1=x", "wrong"])
def test_no_page_without_the_token(site, path, cookie):
    if cookie == "wrong":
        cookie = f"{site.address.cookie}=x{site.token}"
    answer = site.get(path, cookie=cookie)
    assert answer.status == 403
    assert "Open the complete address" in answer.plain
    assert site.token not in answer.text


@pytest.mark.parametrize("path", ["/check", "/run", "/cancel", "/start-over"])
def test_nothing_is_done_without_the_token(site, path):
    assert site.ask("POST", path, b"", cookie=None).status == 403


def test_the_token_becomes_a_cookie_that_scripts_and_other_pages_cannot_use(site):
    answer = site.get(f"/check?a=1&token={site.token}", cookie=None)
    assert (answer.status, answer.headers["location"]) == (303, "/check?a=1")
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert cookie == f"{site.address.cookie}={site.token}"
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(attributes)
    assert not {"Max-Age", "Domain"} & {attribute.split("=")[0] for attribute in attributes}


def test_a_wrong_token_is_refused_whatever_the_cookie(site):
    assert site.get("/?token=wrong").status == 403
    assert site.get("/?token=").status == 403
    assert site.get("/?token=%C3%A4").status == 403


def test_the_address_with_the_token_leads_nowhere_else(site):
    assert site.get(f"//elsewhere.org/?token={site.token}").headers["location"].startswith("/elsewhere")


@pytest.mark.parametrize(
    "host",
    [
        "elsewhere.org",
        "elsewhere.org:{port}",
        "127.0.0.1.elsewhere.org",
        "",
        "[::1",
        "127.0.0.1:{port}/static/?",
        "127.0.0.1:{port}?",
        "me@127.0.0.1:{port}",
        "127.0.0.1:x",
    ],
)
def test_a_foreign_name_that_resolves_to_this_machine(site, host):
    answer = site.get("/", host=host.format(port=site.address.port))
    assert answer.status == 421
    assert "is not an address of this page" in answer.plain


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:{port}", "LOCALHOST:{port}"])
def test_names_of_this_machine_and_ports_of_a_tunnel(site, host):
    assert site.get("/", host=host.format(port=site.address.port)).status == 200


def test_hosts_of_a_server_that_others_can_reach():
    assert Address("0.0.0.0", 1).allows_host("10.0.0.7")
    assert Address("0.0.0.0", 1).allows_host(socket.gethostname())
    assert Address("lab.example", 1).allows_host("lab.example")
    assert not Address("0.0.0.0", 1).allows_host("elsewhere.org")
    assert not Address("127.0.0.1", 1).allows_host("10.0.0.7")
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "a.b")] == [
        True, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://elsewhere.org"},
        {"origin": "null"},
        {"origin": "null", "sec_fetch_site": "cross-site"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://[::1"},
        {"origin": "//["},
        {"origin": ""},
        {"origin": None},
        {"origin": None, "sec_fetch_site": "same-site"},
    ],
)
def test_what_another_page_makes_a_browser_send(site, headers):
    answer = site.ask("POST", "/start-over", b"", **headers)
    assert answer.status == 403
    assert "came from another page" in answer.plain


@pytest.mark.parametrize("headers", [{}, {"origin": None, "sec_fetch_site": "same-origin"}])
def test_what_the_page_itself_sends(site, headers):
    assert site.ask("POST", "/start-over", b"", **headers).status == 303


@pytest.mark.parametrize("path", ["/", "/none", "/static/app.js", "/?token=wrong"])
def test_headers_of_every_answer(site, path):
    headers = site.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers


class TestSize:
    def test_a_declared_length_is_refused_before_the_body_arrives(self, site):
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", site.address.port, timeout=site.hang_seconds)
        ) as web:
            web.putrequest("POST", "/check")
            for name, value in (site.cookie | {"origin": site.url}).items():
                web.putheader(name, value)
            web.putheader("content-length", str(10**12))
            web.putheader("expect", "100-continue")
            web.endheaders()
            answer = web.getresponse()
            text = answer.read().decode()
        assert answer.status == 413
        assert "larger than 600 kB in total" in text
        assert "--max-upload" in text

    def test_a_body_that_is_too_large_is_still_read_so_that_the_browser_shows_the_response(self, site):
        answer = site.upload({"bulk": ("a.tsv", b"gene\ts\n" + b"g\t1\n" * 10_000_000)})
        assert answer.status == 413
        assert site.left() == []

    def test_without_a_declared_length_the_bytes_are_counted(self, site):
        body, kind = site.multipart({"bulk": ("a.tsv", b"gene\ts\n" + b"g\t1\n" * 600_000)}, {})
        pieces = iter([body[i : i + 50_000] for i in range(0, len(body), 50_000)])
        answer = site.ask("POST", "/check", pieces, content_type=kind)
        assert answer.status == 413
        assert site.left() == []

    def test_a_declared_length_that_is_wrong(self):
        assert 1_000_000 < anyio.run(_received_bytes, 10**9, 1_000_000) < 3_000_000

    def test_other_requests_are_small(self, site):
        assert site.ask("POST", "/run", b"x" * 100_000).status == 413


async def _received_bytes(size, max_bytes):
    """Send a body with a declared length of ten bytes; returns how much of it the application receives."""
    received = 0

    async def application(_scope, receive, _send):
        nonlocal received
        while (message := await receive()).get("more_body", False):
            received += len(message["body"])

    async def receive():
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": received < size}

    async def send(_message):
        pass

    middleware = AccessMiddleware(
        application, "t", Address("127.0.0.1", 1), max_bytes, lambda _request, _error: application
    )
    headers = [(b"host", b"localhost"), (b"cookie", b"hpvade_1=t"), (b"content-length", b"10")]
    headers.append((b"origin", b"http://localhost"))
    scope = {"type": "http", "method": "POST", "path": "/check", "query_string": b"", "headers": headers}
    with pytest.raises(RequestError):
        await middleware(scope, receive, send)
    return received
