"""debuginfod against a server of our own on the loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ebprof.elf import ElfImage, memory_file
from ebprof.symbolize import debuginfod
from ebprof.symbolize.debuginfod import Debuginfod

SAMPLE = Path("/proc/self/exe").resolve().read_bytes()


class Server(BaseHTTPRequestHandler):
    files: dict[str, bytes] = {}  # noqa: RUF012 - one server at a time
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.path)
        data = self.files.get(self.path)
        self.send_response(404 if data is None else 200)
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Server.files, Server.asked = {}, []
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def build_id() -> str:
    with memory_file(SAMPLE) as file:
        found = ElfImage(file).build_id
    if not found:
        pytest.skip("this Python has no build ID")
    return found


@pytest.mark.parametrize("stored", [True, False])
def test_fetches_once(url: str, build_id: str, tmp_path: Path, stored: bool) -> None:
    Server.files[f"/buildid/{build_id}/debuginfo"] = SAMPLE
    store = tmp_path / "store" if stored else None
    file = Debuginfod(store, [f"{url}/"]).fetch(build_id)
    assert file is not None
    with file:
        assert ElfImage(file).build_id == build_id
    if stored:
        again = Debuginfod(store, []).fetch(build_id)
        assert again is not None
        again.close()
        assert [path.name for path in (tmp_path / "store").iterdir()] == [f"{build_id}.debug"]


def test_what_nobody_has_is_asked_for_once(url: str, build_id: str) -> None:
    client = Debuginfod(None, [url])
    assert client.fetch(build_id) is None
    assert client.fetch(build_id) is None
    assert len(Server.asked) == 1
    assert client.warnings == []


def test_wrong_and_large_files_are_refused(
    url: str, build_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Server.files[f"/buildid/{'ab' * 20}/debuginfo"] = SAMPLE
    client = Debuginfod(tmp_path, [url])
    assert client.fetch("ab" * 20) is None
    assert "wrong build ID" in client.warnings[0]
    monkeypatch.setattr(debuginfod, "_MAX_BYTES", 1000)
    Server.files[f"/buildid/{build_id}/debuginfo"] = SAMPLE
    assert client.fetch(build_id) is None
    assert "more than 1000 bytes" in client.warnings[1]
    assert [path.suffix for path in tmp_path.iterdir()] in ([], [".debug"])


def test_unreachable_and_odd_servers(build_id: str) -> None:
    client = Debuginfod(None, ["http://127.0.0.1:1", "file:///etc"])
    assert client.fetch(build_id) is None
    odd, unreachable = client.warnings
    assert "file:///etc was not asked" in odd
    assert "Connection refused" in unreachable


def test_without_a_server_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEBUGINFOD_URLS", raising=False)
    assert Debuginfod(None).warnings == ["debuginfod: no server: set DEBUGINFOD_URLS"]
