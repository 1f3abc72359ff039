"""Files are read when they change, URLs asked by ETag; what was good stays, over a restart too."""

from __future__ import annotations

import base64
import http.server
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ebprof.collector.cmdb import places
from ebprof.collector.cmdb.places import UrlPlace
from ebprof.collector.cmdb.source import CmdbSource
from ebprof.enrichers import Subject
from ebprof.errors import BadFileError, UsageError

A1 = Subject(node="a")


def entries(team: str) -> str:
    return json.dumps([{"node": "a", "set": {"team": team}}])


class Server:
    """Answers with `body` and its ETag, or with `status`. asked: headers of requests."""

    def __init__(self, port: int) -> None:
        self.url = f"http://us%65r:pass@127.0.0.1:{port}/cmdb?site=a"
        self.name = f"http://127.0.0.1:{port}/cmdb"
        self.body, self.status, self.asked = entries("one"), 200, list[dict[str, str]]()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.asked.append(dict(handler.headers) | {"path": handler.path})
        tag = f'"{hash(self.body)}"'
        status = 304 if handler.headers.get("If-None-Match") == tag else self.status
        body = self.body.encode() if status == 200 else b""
        handler.send_response(status)
        handler.send_header("ETag", tag)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def serving() -> Iterator[Server]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.answer(self)

        def log_message(self, format: str, *arguments: Any) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Server(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def team(source: CmdbSource) -> str | None:
    """What a new catalogue says, empty for nothing; None where there is no new one."""
    found = source.poll()
    return None if found is None else found.labels(A1).get("team", "")


def test_a_file_is_read_when_it_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cmdb.csv"
    path.write_text("node,team\na,one\n")
    source = CmdbSource([str(path)], tmp_path, 60)
    assert (team(source), team(source)) == ("one", None)
    path.write_text("node,team\na,twoo\n")
    assert (team(source), team(source)) == ("twoo", None)
    path.write_text("node,team\na\n")
    assert (team(source), team(source)) == (None, None)
    problem = f"cannot read {path}:2: it sets no label"
    assert source.problems() == [problem]
    assert source.metrics()["cmdb_errors_total"] == {str(path): 1}
    assert source.metrics()["cmdb_entries"] == {str(path): 1}
    path.unlink()
    assert team(source) is None
    assert source.problems() == [f"cannot read {path}: no such file or directory"]
    path.write_text("node,team\na,again\n")
    assert team(source) == "again"
    assert source.problems() == []
    assert caplog.text.count("stay as they were") == 2


def test_a_bad_file_at_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="no such file"):
        CmdbSource([str(tmp_path / "x.csv")], tmp_path, 60)


@pytest.mark.parametrize("url", ["http://", "http://a b/", "https://[x/", "http://a/\n"])
def test_what_is_no_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="cannot read URL"):
        CmdbSource([url], tmp_path, 60)


def test_the_first_place_counts(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text(f"node,team,{name}\na,{name},x\n")
    both = [str(tmp_path / f"{name}.csv") for name in ("two", "one")]
    found = CmdbSource(both, tmp_path, 60).poll()
    assert found is not None
    assert found.labels(A1) == {"team": "two", "two": "x", "one": "x"}


def test_a_url_is_asked_by_etag_and_its_answer_kept(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with serving() as server:
        source = CmdbSource([server.url], kept, 0)
        assert (team(source), team(source)) == ("one", None)
        assert "If-None-Match" not in server.asked[0] and "If-None-Match" in server.asked[1]
        assert server.asked[0]["path"] == "/cmdb?site=a"
        assert server.asked[0]["Authorization"] == (
            f"Basic {base64.b64encode(b'user:pass').decode()}"
        )
        server.body = entries("two")
        assert team(source) == "two"
        for server.status, server.body in ((500, ""), (200, "[3]"), (302, "")):
            assert team(source) is None
            (problem,) = source.problems()
            assert problem.startswith(f"cannot read {server.name}") and "pass" not in problem
        assert source.metrics()["cmdb_errors_total"] == {server.name: 3}
    assert [path.stat().st_mode & 0o77 for path in (kept, *kept.iterdir())][:1] == [0]
    restarted = CmdbSource([server.url], kept, 0)
    assert team(restarted) == "two"
    (problem,) = restarted.problems()
    assert "connection refused" in problem
    age = restarted.metrics()["cmdb_age_seconds"]
    assert isinstance(age, dict) and 0 <= age[server.name] < 60


def test_a_kept_answer_that_is_damaged_is_none(tmp_path: Path) -> None:
    with serving() as server:
        assert team(CmdbSource([server.url], tmp_path, 0)) == "one"
        (kept,) = tmp_path.iterdir()
        for data in (b"", b"{}\n[]", b'3\n[{"node": "a"}]', kept.read_bytes()[:-5], os.urandom(99)):
            kept.write_bytes(data)
            assert UrlPlace(server.url, tmp_path, 0).entries == ()
            assert team(CmdbSource([server.url], tmp_path, 0)) == "one"
            assert "If-None-Match" not in server.asked[-1]


def test_a_url_is_asked_in_its_time_only(tmp_path: Path) -> None:
    with serving() as server:
        source = CmdbSource([server.url], tmp_path, 3600)
        assert (team(source), team(source)) == ("one", None)
        assert len(server.asked) == 1


def test_what_a_url_answers_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        server.body = " " * (17 << 20) + "[]"
        source = CmdbSource([server.url], tmp_path, 0)
        assert team(source) == ""
        assert "more than 16 MiB" in source.problems()[0]
        monkeypatch.setattr(places, "TOTAL_S", -1)
        source.poll()
        assert "it takes more than" in source.problems()[0]


def test_two_urls_that_differ_in_what_is_not_shown_are_told_apart(tmp_path: Path) -> None:
    urls = ["http://127.0.0.1:9/x?site=a", "http://127.0.0.1:9/x?site=b"]
    found = CmdbSource(urls, tmp_path, 60).metrics()["cmdb_entries"]
    assert found == {"http://127.0.0.1:9/x": 0, "http://127.0.0.1:9/x#2": 0}
