"""Each reason that an agent cannot push for is named, and nothing else is blamed."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from ebprof.errors import UsageError
from ebprof.features import LIMITED, MISSING, OK, UNKNOWN
from ebprof.features.collector import STEPS, check_collector
from ebprof.tls import TlsFiles
from tests import collector_extra
from tests.certificates import authority
from tests.collecting import Running

PATIENCE_S = 60
SAID_OF_TOKENS = {
    "push": "a push of nothing was taken",
    "read": "the token may not push",
    "wrong": "it does not know this token",
}
NAMES = [step.name.removeprefix("collector_") for step in STEPS]


def states(url: str, token: Path | None = None, tls: TlsFiles | None = None) -> dict[str, str]:
    found = check_collector(url, token, tls or TlsFiles())
    return {row.name.removeprefix("collector_"): row.state for row in found}


def details(url: str, token: Path | None = None, tls: TlsFiles | None = None) -> dict[str, str]:
    found = check_collector(url, token, tls or TlsFiles())
    return {row.name.removeprefix("collector_"): row.detail for row in found}


def failing_at(name: str) -> dict[str, str]:
    place = NAMES.index(name)
    return (
        dict.fromkeys(NAMES[:place], OK)
        | {name: MISSING}
        | dict.fromkeys(NAMES[place + 1 :], UNKNOWN)
    )


@contextmanager
def answering(status: int, push: int, **headers: str) -> Iterator[str]:
    """Something that answers; push: how it does to pushes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return headers.get("Date", formatdate(usegmt=True))

        def do_GET(self) -> None:
            self.answer(status, headers.get("body", "").encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(push, b"")

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_collector_that_takes_pushes(tmp_path: Path) -> None:
    collector_extra.need()
    ours = authority(tmp_path / "ours")
    server = ours.issue("localhost")
    listed = tmp_path / "tokens"
    listed.write_text(
        "".join(
            f"{role} {role} {hashlib.sha256(role.encode()).hexdigest()}\n"
            for role in ("push", "read")
        )
    )
    options = ("--tls-cert", server.cert, "--tls-key", server.key, "--token-file", listed)
    with Running(tmp_path / "data", *map(str, options)) as running:
        url = f"https://localhost:{running.port}"
        end = time.monotonic() + PATIENCE_S
        while details(url, listed, TlsFiles(ca=ours.ca))["answer"] != "it is ready":
            assert time.monotonic() < end
        token = tmp_path / "token"
        for text, detail in SAID_OF_TOKENS.items():
            token.write_text(text)
            assert details(url, token, TlsFiles(ca=ours.ca))["token"] == detail
        token.write_text("push")
        assert states(url, token, TlsFiles(ca=ours.ca)) == dict.fromkeys(NAMES, OK)
        assert details(url, None, TlsFiles(ca=ours.ca))["token"] == "it asks for a token"
        assert states(url, token) == failing_at("tls")
        named_otherwise = f"https://127.0.0.1:{running.port}"
        assert states(named_otherwise, token, TlsFiles(ca=ours.ca)) == failing_at("tls")
        assert states(url.replace("https", "http"), token) == failing_at("answer")
        assert "for https" in details(url.replace("https", "http"), token)["answer"]


def test_nobody_there() -> None:
    assert states("http://nowhere.invalid:1") == failing_at("name")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert states(f"http://127.0.0.1:{bound.getsockname()[1]}") == failing_at("connection")


def test_something_else_answers() -> None:
    with answering(404, 404) as url:
        assert states(url) == dict.fromkeys(NAMES, OK) | {
            "answer": LIMITED,
            "version": UNKNOWN,
            "token": MISSING,
        }
        assert details(url)["token"] == "a push is answered with 404"
        assert details(url.replace("http:", "https:"))["tls"].endswith("does it speak plain HTTP?")


@pytest.mark.parametrize(("ahead_s", "state"), [(-5000, MISSING), (-100, LIMITED), (5000, LIMITED)])
def test_clocks_that_differ(ahead_s: int, state: str) -> None:
    date = formatdate(time.time() + ahead_s, usegmt=True)
    with answering(200, 200, Date=date, body='{"problems": [], "version": "0"}') as url:
        found = states(url)
    assert (found["clock"], found["token"]) == (state, UNKNOWN if state == MISSING else OK)
    assert found["version"] == (UNKNOWN if state == MISSING else LIMITED)


def test_one_that_takes_no_pushes_now() -> None:
    with answering(503, 503, body='{"problems": ["the log is full"]}') as url:
        assert details(url)["answer"] == "it is not ready: the log is full"
        assert states(url)["token"] == LIMITED


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read URL"):
        check_collector("x", None, TlsFiles())
    with answering(200, 200) as url:
        row = check_collector(url, tmp_path / "missing", TlsFiles())[-1]
    assert row.state == MISSING and "cannot read" in row.detail
