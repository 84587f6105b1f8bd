from __future__ import annotations

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http.cookiejar import CookieJar

import pytest

HANG = 600  # seconds: only a process that hangs takes longer, however busy the machine is


@pytest.fixture
def page(tmp_path):
    """Start ``hpvade app``; returns its process and the address it prints."""
    started = []
    place = tmp_path / "temporary"
    place.mkdir()

    def start(*arguments):
        command = [sys.executable, "-m", "hpvade", "app", "--port", "0", "--no-browser"]
        process = subprocess.Popen(
            [*command, "--data", str(tmp_path), *arguments], env=os.environ | {"TMPDIR": str(place)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.terminate()
        process.communicate()


def opened(url, body=None, *, jar=None):
    """Open an address as a browser does; returns where it led to, and the page."""
    web = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar() if jar is None else jar))
    headers = {"origin": "/".join(url.split("/")[:3]), "content-type": "multipart/form-data; boundary=b"}
    with web.open(urllib.request.Request(url, body, headers), timeout=HANG) as answer:
        return answer.url, answer.read().decode()


def form(name, value):
    return f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--b--\r\n'.encode()


def workers_of(process):
    """Processes that the server started."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], check=False, capture_output=True, text=True
    )
    return [int(pid) for pid in listed.stdout.split()]


def are_gone(pids):
    deadline = time.monotonic() + HANG
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):  # noqa: PTH110 - a process, not a file
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_from_start_to_end(page, tmp_path, number, code):
    process, url = page()
    assert url.startswith("http://127.0.0.1:")
    address, text = opened(url)
    assert "token" not in address
    assert "Which cell types are in your bulk samples?" in text
    with pytest.raises(urllib.error.HTTPError, match="403"):
        opened(address)
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    workers = workers_of(process)
    assert workers
    process.send_signal(number)
    out, err = process.communicate(timeout=HANG)
    assert (process.returncode, out) == (code, "")
    assert "Press Ctrl-C to stop" in err
    assert "Traceback" not in err
    assert list((tmp_path / "temporary").iterdir()) == []
    assert are_gone(workers)


def test_a_server_that_was_killed_takes_its_processes_along_and_the_next_cleans_up(page, tmp_path):
    process, url = page("--quiet")
    jar = CookieJar()
    address = opened(url, jar=jar)[0]
    opened(f"{address}check", form("demo", 1), jar=jar)
    while "Ready to run" not in (text := opened(f"{address}check", jar=jar)[1]):
        assert "Checking the files" in text
        time.sleep(0.1)
    number = re.search(r'name="check" value="(\d+)"', text)[1]
    assert "Run in progress" in opened(f"{address}run", form("check", number), jar=jar)[1]
    workers = workers_of(process)
    process.kill()
    _, err = process.communicate()
    assert err == ""
    assert are_gone(workers)
    (left,) = (tmp_path / "temporary").iterdir()
    page()
    assert not left.exists()


def test_a_port_that_is_taken(hpv):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = hpv("app", "--port", taken.getsockname()[1], "--no-browser")
    assert result.code == 2
    assert "Address already in use. Pass another --port" in result.err


def test_a_folder_that_is_not_there(hpv, tmp_path):
    result = hpv("app", "--data", tmp_path / "nowhere", "--no-browser")
    assert result.code == 2
    assert "is not a folder" in result.err


def test_a_host_that_others_can_reach_is_warned_about(hpv, monkeypatch, tmp_path):
    given = {}
    monkeypatch.setattr("hpvade.app.serve", lambda data, **settings: given.update(settings, data=data))
    assert hpv("app", "--host", "0.0.0.0", "--max-upload", "5", "--data", tmp_path).code == 0
    assert (given["host"], given["max_upload_bytes"], given["data"]) == ("0.0.0.0", 5_000_000, tmp_path)
    result = hpv("app", "--host", "0.0.0.0")
    assert "other machines on the network can reach this page" in result.err
    assert "Warning" not in hpv("app").err


def test_the_browser_is_opened_only_if_wanted(hpv, monkeypatch):
    opened_urls = queue.Queue()
    monkeypatch.setattr("webbrowser.open", opened_urls.put)
    monkeypatch.setattr("hpvade.app.serve", lambda _data, on_ready, **_settings: on_ready("http://x"))
    assert hpv("app", "--no-browser").out == "http://x\n"
    assert opened_urls.empty()
    hpv("app")
    assert opened_urls.get(timeout=HANG) == "http://x"
    assert opened_urls.empty()


def test_without_the_extra(hpv, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("hpvade.app", "starlette"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    result = hpv("app", "--data", "nowhere")
    assert result.code == 2
    assert "needs 'starlette', which is not installed: pip install 'hp-vade[app]'" in result.err
