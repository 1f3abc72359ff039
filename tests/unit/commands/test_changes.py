"""`ebprof changes`: of a collector's answer, of two files, and what does not go together."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ebprof import cli
from ebprof.commands import changes
from ebprof.errors import EXIT_BAD_FILE, EXIT_USAGE
from ebprof.output import pprof, write_file
from tests.unit.changes.test_recorded import recording
from tests.unit.test_remote import Collector, serving

Capture = pytest.CaptureFixture[str]
ROW = {
    "kind": "callers", "service": "redis", "name": "reindexer", "fate": "new",
    "since": "2026-01-31T12:01:10.000Z",
    "text": "+212 MB/s in from reindexer\x1b[31m (pid 8317), new", "link": "/traffic?query=1",
}  # fmt: skip
ANSWER = {
    "from": "2026-01-31T12:00:10.000Z",
    "to": "2026-01-31T12:15:10.000Z",
    "baseline": {"from": "2026-01-31T11:45:10.000Z", "to": "2026-01-31T12:00:10.000Z"},
    "notes": ["few windows"],
    "rows": [ROW],
}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with serving() as found:
        found.body = json.dumps(ANSWER).encode()
        yield found


def run(capsys: Capture, *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["changes", *map(str, words)])
    return int(ended.value.code or 0), *capsys.readouterr()


def base(collector: Collector) -> str:
    parts = urlsplit(collector.url)
    return f"{parts.scheme}://{parts.netloc}"


def test_what_a_collector_lists(collector: Collector, capsys: Capture) -> None:
    url = base(collector)
    code, out, said = run(capsys, "--collector", url + "/", "--service", 're"dis', "--last", "1h")
    assert code == 0
    assert out.splitlines() == [
        "▲ redis  +212 MB/s in from reindexer\ufffd[31m (pid 8317), new, since 2026-01-31 12:01:10",
        f"         {url}/traffic?query=1",
    ]
    assert "few windows" in said
    assert "2026-01-31 12:00:10 to 2026-01-31 12:15:10, against 2026-01-31 11:45:10 to" in said
    asked = urlsplit(collector.seen[0][0])
    assert asked.path == changes.PATH
    given = {name: values[0] for name, values in parse_qs(asked.query).items()}
    assert given == {
        "query": '{service="re\\"dis"}', "from": "now-3600s", "to": "now", "baseline": "before",
    }  # fmt: skip


def test_its_answer_as_json(collector: Collector, capsys: Capture) -> None:
    code, out, _ = run(capsys, "--collector", base(collector), "--json", "--baseline", "1d")
    assert code == 0 and json.loads(out) == ANSWER


@pytest.mark.parametrize(
    "body", ["[]", "x", '{"rows": 1}', '{"rows": [1, {"text": 2, "since": "x"}]}']
)
def test_answers_that_are_none(body: str, collector: Collector, capsys: Capture) -> None:
    collector.body = body.encode()
    code, _, said = run(capsys, "--collector", base(collector))
    assert code == (0 if "rows" in body else EXIT_BAD_FILE), said
    assert "Traceback" not in said


def test_what_a_collector_refuses_is_said_in_its_words(
    collector: Collector, capsys: Capture
) -> None:
    collector.status = 400
    collector.body = b'{"error": "nothing has the label", "hint": "there are node"}'
    code, _, said = run(capsys, "--collector", base(collector), "--query", '{x="1"}')
    assert code == EXIT_BAD_FILE and "nothing has the label" in said and "there are node" in said


def save(path: Path, name: str, *means: Any, **fields: Any) -> Path:
    write_file(recording(*means, **fields), pprof, os.fspath(path / name))
    return path / name


def test_two_files(tmp_path: Path, capsys: Capture) -> None:
    old = save(tmp_path, "old.pb.gz", 1, parse=20, score=8)
    new = save(tmp_path, "new.pb.gz", 2, parse=20, score=40)
    code, out, said = run(capsys, old, new)
    assert code == 0, said
    (line,) = out.splitlines()
    assert line.startswith("▲ server  score ") and " % of its CPU, " in line
    _, out, _ = run(capsys, old, new, "--json")
    assert [one["name"] for one in json.loads(out)["rows"]] == ["score"]
    assert run(capsys, old, old)[1] == "nothing has changed beyond what varies anyway\n"


def test_files_without_lengths_are_compared_by_shares(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "a").write_text("s;f 900\ns;g 100\n")
    (tmp_path / "b").write_text("s;f 500\ns;g 500\n")
    code, out, said = run(capsys, tmp_path / "a", tmp_path / "b")
    assert code == 0 and "only the chance of samples" in said
    assert sorted(out.splitlines()) == [
        "▲ s  g 10.0 % -> 50.0 % of its CPU",
        "▼ s  f 90.0 % -> 50.0 % of its CPU",
    ]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("a", "one file is compared with another"),
        ("a b --service x", "--service means nothing for two files"),
        ("a b --wait 60", "--wait means nothing for two files"),
        ("--wait 60 --from now-1h", "--from means nothing for --wait"),
        ("--save x", "--save means nothing without --wait"),
        ("--wait 1", "--wait 1 is too short or too long"),
        ("--wait soon", "cannot read --wait"),
        ("--last 1h --from now-1h", "--last and --from exclude each other"),
        ("--service x --query {}", "--service and --query exclude each other"),
        ("--to now", "--to needs --from"),
        ("--last never", "cannot read --last"),
        ("--collector x", "cannot read URL 'x'"),
        ("--collector http://h/api", "'http://h/api' is no collector"),
        ("- -", "A and B cannot both be stdin"),
    ],
)
def test_what_does_not_go_together(words: str, reason: str, capsys: Capture) -> None:
    code, _, said = run(capsys, *words.split())
    assert code == EXIT_USAGE and reason in said


def test_what_is_saved_is_not_overwritten_by_mistake(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "x").write_text("my letters")
    code, _, said = run(capsys, "--wait", "60", "--save", tmp_path / "x")
    assert code == EXIT_BAD_FILE and "no recording of ebprof changes" in said
    assert (tmp_path / "x").read_text() == "my letters"


def test_where_it_is_saved_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert changes._default_path() == Path("/var/state/ebprof/changes.json.gz")
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", "/home/me")
    assert changes._default_path() == Path("/home/me/.local/state/ebprof/changes.json.gz")
