from __future__ import annotations

import contextlib
import html
import http.client
import json
import re
import secrets
import socket
import threading
import time
from dataclasses import dataclass

import pytest

import hpvade
from hpvade.app._guard import Address
from hpvade.app._serve import _Server
from hpvade.app._server import make_app
from hpvade.app._session import Session
from hpvade.app._workspace import workspace


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
        """What a refusal says to a script."""
        return json.loads(self.text)["message"]


class Site:
    """A server on a free port, and what is needed to talk to it as a browser does."""

    most_bytes = 600_000  # of an upload

    def __init__(self, session, address, token):
        self.session, self.address, self.token = session, address, token
        self.url = f"http://127.0.0.1:{address.port}"
        self.cookie = {"cookie": f"{address.cookie}={token}"}

    def ask(self, method, path, body=None, **headers):
        """Send a request; ``headers`` replace those of a browser, and None leaves one out."""
        of_browser = self.cookie | ({"origin": self.url} if method == "POST" else {})
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in (of_browser | given).items() if value is not None}
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=30)
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
        """Send the form: field → (name, content) of files, and texts."""
        body, kind = self.multipart(dict(files), fields)
        return self.ask("POST", "/check", body, content_type=kind, **dict(headers))

    def wait(self, kind):
        """Wait until a job is no longer running."""
        deadline = time.monotonic() + 120
        while self.get(f"/progress/{kind}").headers["x-job-state"] == "running":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return self.get(f"/{kind}")

    def left(self):
        """What lies in the folder of temporary files, but for its lock."""
        return sorted(path.name for path in self.session.folder.iterdir() if path.name != "lock")

    @staticmethod
    def multipart(files, fields):
        """Write a form as browsers do."""
        boundary = secrets.token_hex(16)
        parts = [(f'name="{name}"', str(text).encode()) for name, text in fields.items()]
        parts += [(f'name="{field}"; filename="{name}"', content) for field, (name, content) in files.items()]
        body = b"".join(
            f"--{boundary}\r\ncontent-disposition: form-data; {told}\r\n\r\n".encode() + content + b"\r\n"
            for told, content in parts
        )
        return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@contextlib.contextmanager
def serving(data):
    token = secrets.token_urlsafe(8)
    ready = threading.Event()
    with workspace() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        session = Session(folder, data=data)
        address = Address("127.0.0.1", listener.getsockname()[1])
        app = make_app(session, token=token, address=address, most_bytes=Site.most_bytes)
        server = _Server(app, on_ready=ready.set)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert ready.wait(10)
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
    """A server whose processes are only started when a job needs one."""
    with serving(tiny) as served:
        yield served
