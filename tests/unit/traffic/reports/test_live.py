"""The live table's keys, pressed on a pseudo-terminal, with a monitor that has no kernel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from ebprof.screen.browser import View
from ebprof.screen.keyboard import Keyboard
from ebprof.screen.live import Screen
from ebprof.traffic.grouping import PIVOTS, SORTS
from ebprof.traffic.reports import live
from ebprof.traffic.reports.frame import HELP, KEYS
from ebprof.traffic.reports.live import LiveReport
from tests.flows import FakeMonitor, client, other, server
from tests.unit.screen.pty import Pressed, Pty

ENTER, ESCAPE, BACKSPACE, CTRL_U = "\r", "\x1b", "\x7f", "\x15"
RIGHT, LEFT, UP, DOWN, PAGE_DOWN, HOME = "\x1b[C", "\x1b[D", "\x1b[A", "\x1b[B", "\x1b[6~", "\x1b[H"


class Table(Pressed):
    """A live report on a pseudo-terminal of 120 by 12: it has room for 7 rows."""

    def __init__(self, pty: Pty, monitor: FakeMonitor, screen: Screen) -> None:
        self.monitor = monitor
        view = View(("flow",), "total")
        self.report = LiveReport(screen, monitor, view, None, "")  # type: ignore[arg-type]
        super().__init__(pty, self.report)

    def comms(self) -> list[str]:
        """Names in the rows that are shown."""
        rows = takewhile(lambda text: not text.startswith(" total"), self.lines()[2:])
        return [text.split()[1] for text in rows]

    @property
    def asked(self) -> dict[str, object]:
        """What the monitor was last asked for."""
        return self.monitor.asked[-1]


@pytest.fixture
def table() -> Iterator[Table]:
    monitor = FakeMonitor(client(comm="curl"), server(comm="nginx"))
    with Pty(120, 12) as pty, Screen(pty.inner, Keyboard(pty.inner)) as screen:
        yield Table(pty, monitor, screen)


def test_the_keys_fit_the_narrowest_terminal() -> None:
    assert len(KEYS) <= 60


def test_it_is_there_before_anything_was_counted(table: Table) -> None:
    assert table.monitor.ticks == 0
    assert table.comms() == ["curl", "nginx"]


def test_every_order_can_be_chosen() -> None:
    assert sorted(live.ORDERS) == sorted(SORTS)


def test_s_and_arrows_choose_the_order(table: Table) -> None:
    assert "sort name" in table.press("s")[0] and table.asked["sort"] == "name"
    assert "sort tx" in table.press(RIGHT)[0] and table.asked["sort"] == "tx"
    assert "sort name" in table.press(LEFT)[0] and table.asked["sort"] == "name"
    assert "sort total" in table.press(*["s"] * (len(live.ORDERS) - 1))[0]


def test_r_turns_it_round(table: Table) -> None:
    assert "reversed" in table.press("r")[0] and table.asked["reverse"]
    assert "reversed" not in table.press("r")[0] and not table.asked["reverse"]


def test_b_and_numbers_choose_what_a_row_is(table: Table) -> None:
    assert set(live.PIVOTS) <= set(PIVOTS)
    for number, name in enumerate(live.PIVOTS, 1):
        assert f"by {name}," in table.press(str(number))[0]
        assert table.asked["by"] == (name,)
    assert "by process," in table.press("b")[0]
    assert "by peer," in table.press("b")[0]
    assert "by peer," in table.press("9", "0")[0]


def test_b_after_a_choice_of_several(table: Table) -> None:
    table.report.view.by = ("port", "comm")
    assert "by process," in table.press("b")[0]


@pytest.mark.parametrize("key", ["f", " "])
def test_a_frozen_table_stays_until_it_goes_on(table: Table, key: str) -> None:
    assert "FROZEN" in table.press(key)[0]
    table.monitor.flows = (client(comm="wget"),)
    table.report.show()
    assert table.comms() == ["curl", "nginx"]
    table.press("h", "x")
    assert table.comms() == ["curl", "nginx"]
    assert "FROZEN" not in table.press(key)[0]
    assert table.comms() == ["wget"]


def test_a_frozen_table_is_looked_at_anew_when_it_is_asked_for_otherwise(table: Table) -> None:
    table.press("f")
    table.monitor.flows = (client(comm="wget"),)
    assert "FROZEN" in table.press("s")[0]
    assert table.comms() == ["wget"]


def test_a_filter_works_while_it_is_typed(table: Table) -> None:
    assert "filter: ng_" in table.press("/", "n", "g")[-1]
    assert table.comms() == ["nginx"]
    assert "filter: n_" in table.press(BACKSPACE)[-1]
    assert "filter: n  (/ changes it)" in table.press(ENTER)[-1]
    assert table.asked["text"] == "n"
    assert table.press(ESCAPE)[-1] == KEYS
    assert table.asked["text"] == ""


def test_letters_of_a_filter_are_no_keys(table: Table) -> None:
    table.press("/", "q", "s", "é", " ")
    assert not table.report.is_over
    assert table.report.view.text == "qsé "
    table.press(CTRL_U)
    assert (table.report.view.text, table.report.view.typing) == ("", True)
    table.press("x", ESCAPE)
    assert (table.report.view.text, table.report.view.typing) == ("", False)


def test_a_filter_has_an_end(table: Table) -> None:
    table.press("/", "x" * 500)
    assert len(table.report.view.text) == 64


def test_n_turns_names_on_and_off(table: Table) -> None:
    table.press("n")
    assert table.monitor.names
    table.press("n")
    assert not table.monitor.names


@pytest.mark.parametrize("key", ["h", "?"])
def test_help_comes_and_goes(table: Table, key: str) -> None:
    assert HELP[0] in table.press(key)
    assert HELP[0] not in table.press("x")
    assert not table.report.is_over


def test_arrows_go_through_more_rows_than_there_is_room_for(table: Table) -> None:
    table.monitor.flows = tuple(client(comm=f"c{number}") for number in range(20))
    table.report.show()
    assert table.comms() == [f"c{number}" for number in range(7)]
    table.press(*[DOWN] * 9, UP)  # the first one selects what is shown first
    assert table.comms() == [f"c{number}" for number in range(2, 9)]
    table.press(*[PAGE_DOWN] * 5)
    assert table.comms() == [f"c{number}" for number in range(13, 20)]
    table.press(HOME, UP)
    assert table.comms()[0] == "c0"
    assert "7 shown, 13 hidden" in table.lines()[-2]


def test_no_more_rows_are_shown_than_were_asked_for(table: Table) -> None:
    table.monitor.flows = tuple(client(comm=f"c{number}") for number in range(20))
    table.report.most = 3
    table.report.show()
    assert table.comms() == ["c0", "c1", "c2"]
    assert "3 shown, 17 hidden" in table.lines()[-2]


def test_q_ends_it(table: Table) -> None:
    table.press("q")
    assert table.report.is_over


def test_a_terminal_that_hangs_up_ends_it(table: Table) -> None:
    table.press("\x04")
    assert table.report.is_over


def test_at_the_end_the_table_is_shown(table: Table) -> None:
    table.press("h")
    table.report.finish()
    assert table.comms() == ["curl", "nginx"]


def test_losses_are_shown(table: Table) -> None:
    table.monitor.counts |= {"untracked": 3, "overflowed": 4}
    table.report.show()
    assert "lost 3  overflowed 4" in table.lines()[-2]


def test_a_key_that_does_nothing_is_named(table: Table) -> None:
    assert table.press("x")[-1] == "no key x: ? shows the keys"
    assert table.press("9")[-1] == "no key 9: ? shows the keys"
    assert table.press("s")[-1] == KEYS
    table.press("h", "x")  # any key ends the help
    assert table.lines()[-1] == KEYS


def test_enter_opens_the_flows_of_a_row_and_backspace_leads_back(table: Table) -> None:
    table.press("1", DOWN, DOWN, ENTER)
    lines = table.lines()
    assert "in nginx (200), by flow," in lines[0]
    (within,) = table.monitor.within
    assert (within.by, within.anchor) == (("process",), b"nginx")
    lines = table.press(BACKSPACE)
    assert " in " not in lines[0] and "by process," in lines[0]
    assert table.monitor.within == ()
    table.press(ENTER)  # it is still selected
    assert len(table.monitor.within) == 1


@pytest.mark.parametrize("key", [ESCAPE, LEFT, BACKSPACE])
def test_ways_back(table: Table, key: str) -> None:
    table.press("2", DOWN, ENTER)
    assert "in 10.0.0.9:80," in table.lines()[0]
    table.press("3", DOWN, ENTER)
    assert "in 10.0.0.9:80, in :80, by flow" in table.lines()[0]
    assert "in 10.0.0.9:80, by port" in table.press(key)[0]
    assert "by peer" in table.press(key)[0]


def test_escape_clears_the_filter_before_it_leads_back(table: Table) -> None:
    table.press("1", DOWN, ENTER, "/", "u", ENTER)
    assert "in curl (100)" in table.press(ESCAPE)[0]
    assert " in " not in table.press(ESCAPE)[0]


def test_enter_without_a_row_to_open(table: Table) -> None:
    assert table.press(ENTER)[-1] == "select a row first: down, up"
    assert table.press(DOWN, ENTER)[-1].startswith("a row is one flow already")
    table.monitor.flows = ()
    table.press("1", DOWN)
    assert table.press(ENTER)[-1] == "select a row first: down, up"


def test_a_selected_row_is_followed_wherever_it_goes(table: Table) -> None:
    table.monitor.flows = tuple(client(comm=f"c{number}") for number in range(20))
    table.press("1", DOWN)
    table.monitor.flows = table.monitor.flows[::-1]
    table.report.show()
    assert "c0" in table.comms()
    table.press(HOME)
    table.report.show()
    assert "c0" not in table.comms()


def test_a_selected_row_is_not_hidden_by_other(table: Table) -> None:
    rows = [client(comm=f"c{number}") for number in range(20)]
    table.monitor.flows = (*rows, other())
    table.press("1", *[DOWN] * 9)
    assert "c8" in table.comms()
    table.press(*[DOWN] * 30, ENTER)  # `~other` cannot be opened
    assert table.monitor.within[0].anchor == b"c19"


def saved_by(line: str) -> Path:
    return Path(line.split(" to ")[1])


def test_w_saves_what_is_shown_as_json(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = table.press("w")[-1]
    assert re.fullmatch(r"saved 2 rows to ebprof-traffic-\d{8}-\d{6}\.jsonl", line)
    text = saved_by(line).read_text()
    assert [json.loads(one)["comm"] for one in text.splitlines()] == ["curl", "nginx"]
    assert any(asked["active"] for asked in table.monitor.asked)
    again = table.press("w")[-1]
    assert saved_by(again) != saved_by(line) and saved_by(line).read_text() == text
    assert "saved" not in table.press("s")[-1]


def test_w_saves_a_frozen_table_as_it_stands(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table.press("f")
    table.monitor.flows = (client(comm="wget"),)
    table.report.show()
    text = saved_by(table.press("w")[-1]).read_text()
    assert [json.loads(one)["comm"] for one in text.splitlines()] == ["curl", "nginx"]


def test_a_file_that_cannot_be_written_is_one_line(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    line = table.press("w")[-1]
    assert re.fullmatch(
        r"cannot write ebprof-traffic-\d{8}-\d{6}\.jsonl: no such file or directory", line
    )
    assert not table.report.is_over


def test_a_mark_is_set_and_cleared(table: Table) -> None:
    row = client(comm="curl", change=2.4)
    table.monitor.flows = (row, server(comm="nginx", change=float("inf")))
    lines = table.press("m")
    assert table.monitor.baselines == 1 and lines[-1].startswith("mark set")
    assert (
        "CHANGE" in lines[1] and "▲ \N{MULTIPLICATION SIGN}2.4" in lines[2] and "▲ new" in lines[3]
    )
    assert lines[-2].endswith("mark 5s ago")
    table.press("M")
    assert table.monitor.baselines == 0 and "mark" not in table.press("r")[-2]


def test_c_shows_command_lines(table: Table) -> None:
    table.monitor.flows = (client(comm="curl", command="curl -s http://a/"), server())
    lines = table.press("c")
    assert table.monitor.commands
    assert "COMMAND" in lines[1] and "curl -s http://a/" in lines[2] and "nginx" in lines[3]
    lines = table.press("c")
    assert not table.monitor.commands and "curl -s" not in lines[2]
