"""Profiles from URLs: asked for as pprof, bounded, and refused in the collector's words."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ebprof import cli, remote
from ebprof.errors import BadFileError, UsageError
from ebprof.model import Sample
from ebprof.remote import Access, fetch
from ebprof.tls import server_context
from tests import builders, certificates, pushes

QUERY = 'type=cpu&query={service_name="redis"}&from=now-1h'


class Collector:
    """Answers each request with `status` and `body`; seen: paths and tokens."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}{remote.PATH}?{QUERY}"
        self.status, self.body = 200, pushes.pprof_bytes(builders.profile("main;f"))
        self.seen: list[tuple[str, str]] = []


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.seen.append((self.path, self.headers.get("Authorization", "")))
            self.send_response(found.status)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        if context:
            listener.socket = context.wrap_socket(listener.socket, server_side=True)
        scheme = "https" if context else "http"
        found = Collector(f"{scheme}://127.0.0.1:{listener.server_port}")
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield found
        finally:
            listener.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Collector]:
    with serving() as found:
        yield found


@pytest.mark.parametrize("form", ["", "&format=svg", "&format=pprof&format=folded"])
def test_a_query_is_asked_for_as_pprof(server: Collector, form: str) -> None:
    assert fetch(server.url + form, Access()) == server.body
    given = parse_qs(urlsplit(server.seen[0][0]).query)
    assert given == {
        "type": ["cpu"],
        "query": ['{service_name="redis"}'],
        "from": ["now-1h"],
        "format": ["pprof"],
    }


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ('query={a="b"}&view=table&hide=x', {"type": ["cpu"], "query": ['{a="b"}']}),
        ("type=heap&from=now-5m&live=1", {"type": ["heap"], "from": ["now-5m"]}),
        ("", {"type": ["cpu"]}),
    ],
)
def test_a_link_to_a_page_is_what_the_page_shows(
    server: Collector, given: str, asked: dict[str, list[str]]
) -> None:
    page = server.url.replace(remote.PATH, "/profiles").partition("?")[0]
    assert fetch(f"{page}?{given}", Access()) == server.body
    path, _, query = server.seen[0][0].partition("?")
    assert path == remote.PATH
    assert parse_qs(query) == asked | {"format": ["pprof"]}


@pytest.mark.parametrize(
    "words", ["report URL -f folded", "flame URL -o x.folded -q", "diff URL URL"]
)
def test_commands_read_urls(
    words: str,
    server: Collector,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.main(words.replace("URL", server.url).split())
    assert not ended.value.code
    path = tmp_path / "x.folded"
    assert "main;f 1" in capsys.readouterr().out + (path.read_text() if path.exists() else "")


def test_a_diff_is_labelled_by_what_was_asked(
    server: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["diff", server.url, server.url, "-f", "json"])
    found = json.loads(capsys.readouterr().out)
    assert [found[side]["name"] for side in "ab"] == [QUERY, QUERY]


@pytest.mark.parametrize(
    ("served", "words", "line"),
    [
        ([builders.stack("main;f", comm="")], "", "main;f 2 2\n"),
        (
            [builders.stack("main;f", comm="shop-1"), builders.stack("run", comm="cron")],
            "--map shop-1=shop-2",
            "shop-2;main;f 2 2\n",
        ),
    ],
    ids=("without_processes", "mapped"),
)
def test_processes_of_a_query_and_of_a_file(
    served: list[Sample],
    words: str,
    line: str,
    server: Collector,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """A collector's answer has no names of processes: those of a recording are left out then."""
    server.body = pushes.pprof_bytes(builders.profile(*served))
    path = tmp_path / "x.folded"
    path.write_text("shop-2;main;f 2\n" + ("cron;run 2\n" if words else ""))
    with pytest.raises(SystemExit) as ended:
        cli.main(["diff", server.url, str(path), *words.split()])
    out, err = capsys.readouterr()
    assert (not ended.value.code, line in out, err) == (True, True, "")


def test_tokens_come_from_a_file_or_the_environment(
    server: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    path.write_text("one\n")
    fetch(server.url, Access(token_file=path))
    monkeypatch.setenv("EBPROF_TOKEN", "two")
    fetch(server.url, Access())
    assert [token for _, token in server.seen] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize(
    ("status", "body", "message", "hint"),
    [
        (
            400,
            {"error": "there is no type", "hint": "add type=cpu"},
            "there is no type",
            "type=cpu",
        ),
        (401, {"error": "no valid token", "hint": "x"}, "no valid token", "--token-file"),
        (404, None, "404: Not Found", ""),
        (302, None, "302: Found", ""),
        (503, {"error": "a\x1b[31m\nb"}, "a?[31m?b", ""),
        (500, [1], "500: Internal Server Error", ""),
    ],
)
def test_what_a_collector_refuses_is_said(
    server: Collector, status: int, body: object, message: str, hint: str
) -> None:
    server.status, server.body = status, json.dumps(body).encode() if body else b"<html>"
    with pytest.raises(BadFileError) as caught:
        fetch(server.url, Access())
    assert message in caught.value.message and hint in caught.value.hint
    assert caught.value.message.isprintable()


def test_an_answer_that_is_nested_too_deeply_has_no_reason(server: Collector) -> None:
    server.status, server.body = 400, b"[" * (1 << 16)
    with pytest.raises(BadFileError, match="answers 400: Bad Request"):
        fetch(server.url, Access())


def test_what_is_no_profile_is_refused(
    server: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    server.body = b"<html>log in</html>"
    with pytest.raises(SystemExit) as ended:
        cli.main(["report", server.url])
    assert ended.value.code == BadFileError.exit_code
    assert server.url in capsys.readouterr().err


def test_size_is_bounded(server: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_BYTES", 10)
    with pytest.raises(BadFileError, match="is larger than"):
        fetch(server.url, Access())


def test_nobody_there() -> None:
    with pytest.raises(BadFileError, match="connection refused"):
        fetch(f"http://127.0.0.1:9{remote.PATH}", Access())


@pytest.mark.parametrize(
    "url", ["http://", "http://a:b:c/", "http://u:p@h/", "http://h/", f"http://h:0{remote.PATH}"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        fetch(url, Access())


@pytest.mark.parametrize("path", ["file:///etc/passwd", "ftp://h/x", "http:x", "x.pb.gz", "-"])
def test_nothing_else_is_a_url(path: str) -> None:
    assert not remote.is_url(path)


def test_https_is_checked(tmp_path: Path) -> None:
    authority = certificates.authority(tmp_path / "ca")
    files = authority.issue("127.0.0.1")
    with serving(server_context(type(files)(files.cert, files.key))) as server:
        assert fetch(server.url, Access(ca=authority.ca)) == server.body
        with pytest.raises(BadFileError, match="certificate"):
            fetch(server.url, Access())
