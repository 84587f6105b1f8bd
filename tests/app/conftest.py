from __future__ import annotations

import contextlib
import html
import http.client
import json
import re
import secrets
import socket
import threading
from dataclasses import dataclass

import pytest

import hpvade
from hpvade.app._access import Address
from hpvade.app._routes import make_app
from hpvade.app._server import _Server
from hpvade.app._session import Session
from hpvade.app._temporary_folder import LOCK, temporary_folder

HANG = 600  # seconds: only a server that hangs takes longer, however busy the machine is


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def text(self):
        return self.content.decode(errors="replace")

    @property
    def plain(self):
        """The text of a page: no tags, single spaces."""
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.text)))

    @property
    def message(self):
        """The error message that a script gets."""
        return json.loads(self.text)["message"]


class Site:
    """A server on a free port, and a client that sends requests as a browser does."""

    max_upload_bytes = 600_000
    hang_seconds = HANG

    def __init__(self, session, address, token):
        self.session, self.address, self.token = session, address, token
        self.url = f"http://127.0.0.1:{address.port}"
        self.cookie = {"cookie": f"{address.cookie}={token}"}

    def ask(self, method, path, body=None, **headers):
        """Send a request; ``headers`` replace those of a browser, and None leaves one out."""
        browser = self.cookie | ({"origin": self.url} if method == "POST" else {})
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in (browser | given).items() if value is not None}
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=HANG)
        ) as web:
            web.request(method, path, body, sent)
            answer = web.getresponse()
            content = answer.read()
        return Answer(answer.status, answer.headers, content)

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def post(self, path, **fields):
        body = "&".join(f"{name}={value}" for name, value in fields.items())
        return self.ask("POST", path, body, content_type="application/x-www-form-urlencoded")

    def upload(self, files=(), headers=(), **fields):
        """Send the form: field → (name, content) of files, and text fields."""
        body, kind = self.multipart(dict(files), fields)
        return self.ask("POST", "/check", body, content_type=kind, **dict(headers))

    @staticmethod
    def until(condition):
        """Wait until a condition holds; returns its value."""
        pause = threading.Event()
        for _ in range(HANG * 20):
            if value := condition():
                return value
            pause.wait(0.05)
        pytest.fail(f"a condition did not hold within {HANG} s")

    def wait(self, kind):
        """Wait until a job is no longer running."""
        self.until(lambda: self.get(f"/progress/{kind}").headers["x-job-state"] != "running")
        return self.get(f"/{kind}")

    def left(self):
        """Temporary files, except the lock."""
        files = [path for path in self.session.folder.rglob("*") if path.is_file()]
        return sorted(path.name for path in files if path.name != LOCK)

    @staticmethod
    def multipart(files, fields):
        """Write a form as browsers do."""
        boundary = secrets.token_hex(16)
        parts = [(f'name="{name}"', str(text).encode()) for name, text in fields.items()]
        parts += [(f'name="{field}"; filename="{name}"', content) for field, (name, content) in files.items()]
        body = b"".join(
            f"--{boundary}\r\ncontent-disposition: form-data; {disposition}\r\n\r\n".encode()
            + content
            + b"\r\n"
            for disposition, content in parts
        )
        return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@contextlib.contextmanager
def serving(data):
    token = secrets.token_urlsafe(8)
    ready = threading.Event()
    with temporary_folder() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        session = Session(folder, data=data)
        address = Address("127.0.0.1", listener.getsockname()[1])
        app = make_app(session, token=token, address=address, max_upload_bytes=Site.max_upload_bytes)
        server = _Server(app, on_ready=ready.set)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert ready.wait(HANG)
            yield Site(session, address, token)
        finally:
            server.should_exit = True
            thread.join()
            session.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder with a reference, a bulk table, and a saved model; names are full of HTML."""
    folder = tmp_path_factory.mktemp("tiny")
    types = ("B <img src=x onerror=alert(1)>", "Monocyte & co", "T")
    cells = hpvade.testing.tiny_reference(n_genes=200, cell_types=types)
    cells.write_h5ad(folder / "reference.h5ad")
    bulk = hpvade.testing.tiny_bulk(cells)
    bulk.obs_names = ["<script>alert(2)</script>", *bulk.obs_names[1:]]
    bulk.to_df().T.to_csv(folder / "bulk.tsv", sep="\t")
    (folder / "notes.pdf").write_bytes(b"%PDF")
    return folder


@pytest.fixture(scope="session")
def site(tiny):
    """A server that starts a process only when a job needs one."""
    with serving(tiny) as served:
        yield served
