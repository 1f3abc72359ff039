"""`ebprof traffic` with a monitor that has no kernel: what it prints where, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ebprof import cli
from ebprof.abi import CONNECT_ERRORS
from ebprof.commands import traffic
from ebprof.errors import EXIT_BAD_FILE, EXIT_NO_TARGET, EXIT_USAGE
from ebprof.model import FlowCounts
from ebprof.traffic.backends import all_backends
from ebprof.traffic.filter import FlowFilter
from ebprof.traffic.grouping import PIVOTS, SORTS
from ebprof.traffic.monitor import COUNTERS, Monitor
from ebprof.traffic.reports.json import JsonForm
from tests.flows import FakeMonitor, client, other, server

Capture = pytest.CaptureFixture[str]
Opened = dict[str, Any]
PAGE = (Path(__file__).parents[3] / "docs" / "traffic.md").read_text()


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch) -> FakeMonitor:
    """What the command gets in place of a real monitor."""
    made = FakeMonitor(client(), server(), other())

    def open_monitor(
        backend: str | None, flow_filter: FlowFilter, names: bool, loader: str
    ) -> FakeMonitor:
        opened = {"backend": backend, "filter": flow_filter, "names": names, "loader": loader}
        made.opened = opened  # type: ignore[attr-defined]
        return made

    monkeypatch.setattr(Monitor, "open", open_monitor)
    return made


def run(*words: object) -> int:
    """Exit code of `ebprof WORDS...`."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(word) for word in words])
    return int(ended.value.code or 0)


def refuse(capfd: Capture, *words: object) -> tuple[int, str]:
    """Exit code and the one line of a command line that fails."""
    code = run("traffic", *words)
    out, err = capfd.readouterr()
    assert out == "" and err.startswith("ebprof: ") and err.count("\n") == 1, err
    return code, err


def test_one_report_of_a_whole_run(monitor: FakeMonitor, capfd: Capture) -> None:
    assert run("traffic", "-d", "0.2") == 0
    out, err = capfd.readouterr()
    assert [text.split()[2] for text in out.splitlines()] == ["COMM", "curl", "nginx", "~other"]
    assert err.splitlines()[0] == "ebprof: traffic by fake"
    assert "3 flows in 61.0 s, sent 3.01 kB, received 3.02 kB, lost 0" in err.splitlines()[1]
    assert err.splitlines()[-1].startswith("ebprof: overhead: ")


def test_reports_of_intervals(monitor: FakeMonitor, capfd: Capture) -> None:
    assert run("traffic", "--json", "0.1", "3") == 0
    rows = [json.loads(text) for text in capfd.readouterr().out.splitlines()]
    assert [row["comm"] for row in rows] == ["curl", "nginx", "~other"] * 3
    assert len({row["time"] for row in rows}) == 3


def test_flows_on_which_nothing_happened_are_left_out(monitor: FakeMonitor, capfd: Capture) -> None:
    monitor.flows = (client(), server(recent=FlowCounts()))
    assert run("traffic", "--json", "0.1", "1") == 0
    assert capfd.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_what_was_counted(
    number: signal.Signals, monitor: FakeMonitor, capfd: Capture
) -> None:
    monitor.on_tick = lambda: signal.raise_signal(number)
    assert run("traffic", "--json") == 0
    out, err = capfd.readouterr()
    assert out.count("\n") == 3
    assert "lost 0" in err


def test_statistics(monitor: FakeMonitor, capfd: Capture, tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    monitor.counts["untracked"] = 2
    assert run("traffic", "-d", "0.1", "--stats", path) == 0
    values = json.loads(path.read_text())
    assert (values["backend"], values["flows"], values["totals"]["tx_bytes"]) == ("fake", 3, 3010)
    assert values["counters"]["untracked"] == 2
    assert "lost 2" in capfd.readouterr().err


def test_the_alias_is_the_same_command(monitor: FakeMonitor, capfd: Capture) -> None:
    assert run("top-traffic", "--json", "0.1", "1") == 0
    assert capfd.readouterr().out.count("\n") == 3


def test_options_reach_the_monitor(monitor: FakeMonitor, capfd: Capture) -> None:
    words = (
        "-p 1,2 -p 3 --comm x -G /a --port 80 --from 10.0.0.0/8 --to :80 -6 --names --loader bcc"
    )
    assert run("traffic", *words.split(), "--backend", "b", "-s", "tx", "-r", "1", "0.1", "1") == 0
    opened: Opened = monitor.opened  # type: ignore[attr-defined]
    chosen: FlowFilter = opened["filter"]
    assert (opened["backend"], opened["names"], opened["loader"]) == ("b", True, "bcc")
    assert (chosen.pids, chosen.comm, chosen.cgroup) == ((1, 2, 3), "x", "/a")
    assert (chosen.port, chosen.family) == (80, 6)
    assert chosen.source is not None and chosen.source.prefix == 8
    assert chosen.destination is not None and chosen.destination.port == 80
    assert monitor.asked[0]["sort"] == "tx" and monitor.asked[0]["limit"] == 1
    assert "(1 not shown)" in capfd.readouterr().err


@pytest.mark.parametrize("by", [*PIVOTS, "peer,port", "process,role,peer"])
def test_what_a_row_is(by: str, monitor: FakeMonitor, capfd: Capture) -> None:
    assert run("traffic", "--by", by, "0.1", "1") == 0
    assert monitor.asked[0]["by"] == tuple(by.split(","))


def test_a_reader_that_goes_away_is_no_error(
    monitor: FakeMonitor, capfd: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        assert run("traffic", "--json", "--stats", tmp_path / "stats", "0.1") == 0
    assert json.loads((tmp_path / "stats").read_text())["flows"] == 3
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--to 10.0.0.300:80", "cannot read address '10.0.0.300:80': write it like 10.0.0.1, "),
        ("--to ::1:80x", "cannot read address"),
        ("--from nowhere", "cannot read address 'nowhere'"),
        ("--to 10.0.0.1:0", "cannot read port '0'"),
        ("--to 10.0.0.0/33", "cannot read address"),
        ("--port 65536", "cannot read port '65536'"),
        ("--port http", "cannot read port 'http'"),
        ("-4 -6", "-4 and -6 exclude each other"),
        ("0", "cannot read INTERVAL '0'"),
        ("often", "cannot read INTERVAL 'often'"),
        ("0.01", "INTERVAL 0.01 is too short"),
        ("1 0", "cannot read COUNT '0'"),
        ("1 2,3", "cannot read COUNT '2,3'"),
        ("1 x", "cannot read COUNT 'x'"),
        ("1 2 3", "unexpected extra argument (3)"),
        ("-d 0", "cannot read duration '0'"),
        ("-d soon", "cannot read duration 'soon'"),
        ("--by nonesuch", f"'nonesuch': choose from {', '.join(PIVOTS)}"),
        ("--by peer,", "choose from"),
        ("-s nonesuch", f"'nonesuch': choose from {', '.join(SORTS)}"),
        ("-r 0", "0 is not in the range"),
        ("-p 0", "cannot read PID '0'"),
        ("-p many", "cannot read PID 'many'"),
        ("--top --json", "--top and --json exclude each other"),
        ("--top", "--top needs a terminal"),
        ("--stats -", "--stats needs a file"),
        ("--backend nonesuch", "'nonesuch'"),
        ("--nonesuch", "no such option"),
    ],
)
def test_usage(words: str, says: str, capfd: Capture) -> None:
    code, line = refuse(capfd, *words.split())
    assert code == EXIT_USAGE
    assert says in line


@pytest.mark.parametrize(
    "option", ["--comm", "-G", "--port", "--from", "--to", "--by", "-s", "-d", "-p", "--backend"]
)
def test_an_empty_value_is_not_the_same_as_none(option: str, capfd: Capture) -> None:
    assert refuse(capfd, option, "")[0] == EXIT_USAGE


@pytest.mark.parametrize("words", [["-p", 2**22], ["-p", 2**70], ["-G", "no/such/cgroup"]])
def test_what_is_not_there(words: list[object], capfd: Capture) -> None:
    assert refuse(capfd, *words)[0] == EXIT_NO_TARGET


def test_statistics_that_cannot_be_written_are_found_before_counting(
    capfd: Capture, tmp_path: Path
) -> None:
    for place in (tmp_path / "missing" / "x", tmp_path):
        code, line = refuse(capfd, "-p", 2**22, "--stats", place)
        assert code == EXIT_BAD_FILE
        assert str(place) in line


def on_terminal(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", name)


@pytest.mark.parametrize(
    ("words", "live"),
    [
        ("", True),
        ("--top", True),
        ("5", True),
        ("5 2", True),
        ("--top -d 10", True),
        ("-d 10 1", True),
        ("-d 10", False),
        ("--json", False),
        ("--json 1", False),
    ],
)
def test_when_the_table_is_live(
    words: str, live: bool, monitor: FakeMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = []
    ways: dict[str, Callable[..., None]] = {
        "_run_live": lambda *_: chosen.append(True),
        "_run_stream": lambda *_: chosen.append(False),
    }
    for name, way in ways.items():
        monkeypatch.setattr(traffic, name, way)
    on_terminal(monkeypatch, "xterm")
    assert run("traffic", *words.split()) == 0
    on_terminal(monkeypatch, "dumb")
    assert run("traffic", *words.split()) == (EXIT_USAGE if "--top" in words else 0)
    assert chosen == [live] + ([] if "--top" in words else [False])


def explained(heading: str) -> dict[str, str]:
    """Second column by first, of the table below a heading of the page."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|", section, re.MULTILINE))


def test_the_page_explains_every_counter_as_the_program_does() -> None:
    assert explained("Counters") == {counter.name: counter.help for counter in COUNTERS}
    for counter in COUNTERS:
        assert f"| {counter.help} | {'yes' if counter.is_loss else 'no'} |" in PAGE


def test_the_page_explains_every_reason_and_backend_as_the_program_does() -> None:
    assert explained("Failed connects") == {one.name: one.help for one in CONNECT_ERRORS}
    assert explained("Backends") == {one.name: one.help for one in all_backends()}


def test_the_page_explains_every_field_of_json() -> None:
    named = client(peer_name="x")
    line = json.loads(JsonForm().line(named, named.recent, 0.0))
    assert list(explained("JSON")) == list(line)


def test_the_page_explains_every_field_of_the_statistics(
    monitor: FakeMonitor, tmp_path: Path
) -> None:
    run("traffic", "-d", "0.1", "--stats", tmp_path / "stats")
    found = []
    for name, value in json.loads((tmp_path / "stats").read_text()).items():
        inner = value if isinstance(value, dict) and name != "counters" else {}
        found += [f"{name}.{field}" for field in inner] or [name]
    assert set(explained("Statistics")) == set(found)


def test_the_page_lists_every_pivot_and_order() -> None:
    options = PAGE.split("\n## How to show them\n")[1].split("\n## ")[0]
    by, sort = (
        next(row for row in options.splitlines() if name in row) for name in ("--by", "--sort")
    )
    assert [name for name in PIVOTS if f"`{name}`" not in by] == []
    assert [name for name in SORTS if f"`{name}`" not in sort] == []
