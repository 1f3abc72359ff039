"""The live table's keys, pressed on a pseudo-terminal, with a monitor that has no kernel."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

import pytest

from ebprof.screen.browser import View
from ebprof.screen.keyboard import Keyboard
from ebprof.screen.live import Screen
from ebprof.traffic.grouping import PIVOTS, SORTS
from ebprof.traffic.reports import live
from ebprof.traffic.reports.frame import HELP, KEYS
from ebprof.traffic.reports.live import LiveReport
from tests.flows import FakeMonitor, client, server
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
    table.press(DOWN, DOWN, UP)
    assert table.comms() == [f"c{number}" for number in range(1, 8)]
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
