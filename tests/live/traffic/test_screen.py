"""The live table on a real terminal: what it shows of known traffic, and what its keys do."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.terminal import Terminal, terminal
from tests.live.traffic.puppet import puppet

ADDRESS = "127.0.0.1"
MESSAGE, PAUSE_S = 5000, 0.05
AN_HOUR_S = 3600
MODES = re.compile(r"[0-9a-f]+(:[0-9a-f]+){10,}")  # as `stty -g` prints them, on one line
PIVOTS = ("process", "peer", "port", "role", "flow", "container")


@dataclass(frozen=True, slots=True)
class Traffic:
    """A client that sends to a server, MESSAGE bytes at a time."""

    client: int
    server: int
    port: int

    @property
    def options(self) -> tuple[object, ...]:
        """Of ebprof, to see this traffic alone."""
        return "--to", f"{ADDRESS}:{self.port}"


@contextmanager
def traffic() -> Iterator[Traffic]:
    with puppet("screen_srv") as server, puppet("screen_cli") as client:
        port = server.listen("listener", ADDRESS)
        server.serve("listener")
        client.connect("one", ADDRESS, port)
        client.flood("one", MESSAGE, PAUSE_S)
        yield Traffic(client.pid, server.pid, port)


@pytest.fixture(scope="module")
def flowing() -> Iterator[Traffic]:
    """One traffic for all tests: each looks at it in a terminal of its own."""
    with traffic() as made:
        yield made


@pytest.fixture
def table(flowing: Traffic) -> Iterator[Terminal]:
    """A live table that has counted something."""
    with terminal() as opened:
        opened.run("traffic", *flowing.options)
        opened.until(lambda lines: any(re.search(r"screen_cli.* kB ", one) for one in lines))
        yield opened


def row(lines: list[str], name: str) -> str:
    """The row of a process: its name stands in the column COMM, and may stand in PEER PROCESS."""
    return next(one for one in lines if re.match(rf" *\d+ {name} ", one))


def totals(lines: list[str]) -> str:
    """The row below all others."""
    return next(one for one in lines if one.startswith(" total "))


def leave(opened: Terminal) -> None:
    """Wait until ebprof has ended and the shell is there again."""
    opened.press("q")
    opened.until(lambda lines: [one for one in lines if one][-1] == "$")


def test_the_first_paint_comes_at_once_also_without_traffic() -> None:
    """Long before the first interval ends."""
    with terminal() as opened:
        opened.run("traffic", "--to", "192.0.2.1:1", AN_HOUR_S)
        lines = opened.until_text("lost 0")
        assert "0 shown, 0 hidden" in lines[-2]


def test_both_ends_of_a_connection_are_rows(table: Terminal, flowing: Traffic) -> None:
    lines = table.screen()
    client, server = row(lines, "screen_cli"), row(lines, "screen_srv")
    assert client.split()[:2] == [str(flowing.client), "screen_cli"]
    assert f" client  {ADDRESS}" in client and f"{ADDRESS}:{flowing.port}" in client
    assert " screen_srv " in client and " screen_cli " in server
    assert server.split()[:2] == [str(flowing.server), "screen_srv"]
    assert f" server  {ADDRESS}:{flowing.port}" in server


def test_rates_totals_and_the_last_minute(table: Terminal) -> None:
    lines = table.until(lambda lines: any("█" in one and "kB" in one for one in lines))
    heading, client = lines[1], row(lines, "screen_cli")
    for name in ("TX/s", "RX/s", "CALLS/s", "OPEN/CLOSED", "LAST MINUTE▼"):
        assert name in heading
    assert re.search(r" \d+(\.\d+)? kB ", client)  # 100 kB/s, if the machine has the time
    assert lines[0].startswith("ebprof traffic (")
    assert re.fullmatch(r"\w+  2 shown, 0 hidden  lost 0  overflowed 0", lines[-2])


def test_keys_choose_order_and_pivot(table: Terminal) -> None:
    table.press("s")
    table.until_text("sort name")
    table.until_text("COMM▼")
    table.press("Right")
    table.until_text("TX/s▼")
    table.press("r")
    table.until_text("TX/s▲")
    for number, name in enumerate(PIVOTS, 1):
        table.press(str(number))
        table.until_text(f"by {name}, sort tx")
    table.press("b")
    table.until_text("by process,")


def test_a_pivot_puts_rows_together(table: Terminal, flowing: Traffic) -> None:
    table.press("3")
    port = str(flowing.port)
    lines = table.until(lambda lines: "by port," in lines[0] and lines[2].split()[0] == port)
    assert lines[3].split()[0] == "total"


def test_a_filter_is_typed(table: Terminal) -> None:
    table.press("/")
    table.until_text("filter: _")
    table.press("n", "_", "s", "r")
    table.until(lambda lines: "filter: n_sr_" in lines[-1] and "1 shown" in lines[-2])
    assert not any(re.match(r" *\d+ screen_cli", one) for one in table.screen())
    table.press("Enter")
    table.until(lambda lines: lines[-1].startswith("filter: n_sr  ("))
    table.press("/")
    table.press("Escape")
    table.until(lambda lines: "2 shown" in lines[-2] and lines[-1].startswith("s sort"))


def test_a_frozen_table_stays_as_it_is_while_counting_goes_on(table: Terminal) -> None:
    table.press("f")
    before = table.until_text("FROZEN")
    time.sleep(2.5)
    assert table.screen() == before
    table.press("f")
    after = table.until(lambda lines: "FROZEN" not in lines[0] and lines[0] != before[0])
    assert _total_sent(after) > _total_sent(before)


def _total_sent(lines: list[str]) -> float:
    """Of the whole table, bytes: the first figure of the totals that is no rate."""
    units = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}
    at = lines[1].index(" TX ") + len(" TX")
    number, unit = totals(lines)[:at].split()[-2:]
    return float(number) * units[unit]


def test_a_row_is_opened_and_left(table: Terminal, flowing: Traffic) -> None:
    table.press("1")
    table.until_text("by process,")
    table.press("Down", "Enter")
    lines = table.until_text(" by flow,")
    name, pid = re.findall(r"in (screen_\w+) \((\d+)\),", lines[0])[0]
    assert int(pid) in (flowing.client, flowing.server)
    assert len([one for one in lines[2:] if re.match(rf" *{pid} {name} ", one)]) == 1
    assert "1 shown" in lines[-2] and lines[3].startswith(" total")
    table.press("BSpace")
    table.until(lambda lines: "by process," in lines[0] and "2 shown" in lines[-2])
    table.press("k")
    table.until_text("no key k: ? shows the keys")


def test_command_lines(table: Terminal) -> None:
    table.resize(250, 24)
    table.press("c")
    lines = table.until_text("puppet.py")
    assert "COMMAND" in lines[1]


def test_the_window_is_saved(flowing: Traffic, tmp_path: Path) -> None:
    """In the directory where ebprof runs; where that cannot be written, one line says so."""
    with terminal() as opened:
        opened.press(f"export PYTHONPATH=$PWD; cd {tmp_path}", "Enter")
        opened.run("traffic", *flowing.options)
        opened.until_text("screen_cli")
        opened.press("w")
        lines = opened.until_text("saved 2 rows to ")
        (path,) = tmp_path.iterdir()
        assert lines[-1].endswith(path.name)
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert {row["pid"] for row in rows} == {flowing.client, flowing.server}
        path.unlink()
        tmp_path.rmdir()
        opened.press("w")
        opened.until_text("no such file or directory")


def test_what_has_changed_since_a_mark(table: Terminal, flowing: Traffic) -> None:
    with puppet("screen_new") as new:
        table.press("m")
        table.until_text("mark set")
        new.connect("one", ADDRESS, flowing.port)
        new.flood("one", MESSAGE, PAUSE_S)
        table.until(lambda lines: any("screen_new" in one and "▲ new" in one for one in lines))
        assert "CHANGE" in table.screen()[1] and "mark " in table.screen()[-2]
        table.press("M")
        table.until(lambda lines: "mark " not in lines[-2])
        assert "▲ new" not in "".join(table.screen())


def test_help(table: Terminal) -> None:
    table.press("?")
    table.until_text("Enter keeps it, Escape clears it")
    table.press("x")
    table.until_text("screen_cli")


def test_names_come_and_go_without_holding_anything_up(table: Terminal, flowing: Traffic) -> None:
    table.press("n")
    table.until_text("screen_cli")
    table.press("n")
    table.until_text(f"{ADDRESS}:{flowing.port}")


def test_the_last_screen_stays_in_the_scrollback(flowing: Traffic) -> None:
    with terminal() as opened:
        opened.press("echo before", "Enter")
        opened.run("traffic", *flowing.options)
        opened.until_text("screen_cli")
        opened.press("q")
        opened.until_text("before")
        shown = opened.scrollback()
        assert shown.index("before") < shown.index("ebprof traffic (") < shown.index("lost 0")
        assert "screen_cli" in shown and "total" in shown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, None])
def test_the_terminal_is_given_back(number: signal.Signals | None, flowing: Traffic) -> None:
    """After a signal from elsewhere, and after Ctrl-C (None): exit code 0, modes as before."""
    with terminal() as opened:
        opened.press("stty -g", "Enter")
        before = modes_below(opened, "$ stty -g")
        opened.run("traffic", *flowing.options, "; echo code $?; stty -g")
        opened.until_text("screen_cli")
        if number is None:
            opened.press("C-c")
        else:
            os.kill(opened.child(), number)
        assert modes_below(opened, "code 0") == before


def modes_below(opened: Terminal, text: str) -> str:
    """The terminal's modes, which stand below a line of that text."""

    def found(lines: list[str]) -> list[str]:
        below = lines[lines.index(text) + 1 :] if text in lines else []
        return [one for one in below if MODES.fullmatch(one)]

    return found(opened.until(lambda lines: bool(found(lines))))[0]


def test_ctrl_z_and_fg(table: Terminal) -> None:
    table.press("C-z")
    table.until_text("Stopped")
    assert not any("screen_cli" in one for one in table.screen())
    table.press("echo here", "Enter")
    table.until(lambda lines: "here" in lines)
    table.press("fg", "Enter")
    table.until_text("screen_cli")
    table.press("s")
    table.until_text("sort name")
    leave(table)


@pytest.mark.parametrize("columns", [60, 80, 230])
def test_a_new_size_is_filled(columns: int, table: Terminal) -> None:
    table.resize(columns, 15)
    lines = table.until(lambda lines: len(lines) == 15 and lines[-1].startswith("s sort"))
    assert lines[0].startswith("ebprof traffic (") and "TX/s" in lines[1]
    assert row(lines, "screen_cli") and totals(lines)
    assert ("LAST MINUTE" in lines[1]) == (columns == 230)


def test_a_run_of_intervals_ends_by_itself(flowing: Traffic) -> None:
    with terminal() as opened:
        opened.run("top-traffic", *flowing.options, "1", "2", "; echo code $?")
        lines = opened.until(lambda lines: "code 0" in lines)
        assert any("screen_cli" in one for one in lines)
