"""The live table's keys, pressed on a pseudo-terminal, with a recording that has no kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ebprof.model import Label
from ebprof.output import read_profile
from ebprof.screen.keyboard import Keyboard
from ebprof.screen.live import Screen
from ebprof.top.monitor import TopMonitor
from ebprof.top.reports.frame import BUTTERFLY_KEYS, HELP, KEYS, Subject
from ebprof.top.reports.live import LiveTop
from ebprof.top.reports.view import TopView
from ebprof.top.rows import CHANGE, PIVOTS, SORTS
from ebprof.top.table import WINDOW_S
from tests.builders import stack
from tests.hot import CLOCK, FakeRecording, stacks
from tests.unit.screen.pty import Pressed, Pty

ENTER, ESCAPE, BACKSPACE = "\r", "\x1b", "\x7f"
RIGHT, LEFT, UP, DOWN, PAGE_DOWN, HOME = "\x1b[C", "\x1b[D", "\x1b[A", "\x1b[B", "\x1b[6~", "\x1b[H"
ROOM = 8
SUBJECT = Subject("all processes", CLOCK, is_one_process=False)


class Table(Pressed):
    """A live table on a pseudo-terminal of 140 by 12: it has room for 8 rows."""

    def __init__(self, pty: Pty, recording: FakeRecording, screen: Screen) -> None:
        self.recording = recording
        monitor = TopMonitor(recording, stacks(), is_kept=True)
        self.report = LiveTop(screen, monitor, TopView(("function",), "self"), None, SUBJECT)
        super().__init__(pty, self.report)

    def names(self) -> list[str]:
        """What the rows that are shown are called, up to the first blank."""
        lines = self.lines()
        return [one[self._name_at() :].split()[0] for one in lines[2:-2] if one]

    def _name_at(self) -> int:
        """Where names begin: below the heading of the pivot."""
        heading = self.lines()[1]
        return heading.index(f" {self.report.view.by[0].upper()}") + 1

    def selected(self) -> list[str]:
        """Rows of the table that are reversed."""
        self.pty.settle()
        return [
            "".join(char for char, _ in row)[self._name_at() :].split()[0]
            for row in self.pty.shown.cells[2:-2]
            if row[0][1] == "7" and row[0][0] == " "
        ]


@pytest.fixture
def table() -> Iterator[Table]:
    samples = (
        stack("main;serve;compress", 60, pid=7, comm="web"),
        stack("main;serve", 30, pid=7, comm="web"),
        stack("start;query;read_[k]", 10, pid=9, comm="db"),
    )
    with (
        closing(FakeRecording(*samples)) as recording,
        Pty(140, 12) as pty,
        Screen(pty.inner, Keyboard(pty.inner)) as screen,
    ):
        yield Table(pty, recording, screen)


def test_a_function_is_a_line(table: Table) -> None:
    lines = table.lines()
    figures = ["SELF", "%▼", "TOTAL", "%", "SAMPLES", "%CPU"]
    headings = [*figures, "FUNCTION", "MODULE", "PID", "PROCESS"]
    assert lines[1].split() == [*headings, "LAST", "MINUTE"]
    assert lines[2].split() == ["60.0", "60.0", "60", "60.6", "compress", "demo", "7", "web", "█"]
    assert lines[4].split() == [
        "10.0",
        "10.0",
        "10",
        "10.1",
        "read",
        "[kernel.kallsyms]",
        "9",
        "db",
        "█",
    ]
    assert lines[5].split()[:4] == ["-", "90.0", "0", "0.0"]


def test_header_and_footer(table: Table) -> None:
    lines = table.lines()
    assert lines[0].startswith(
        "ebprof top: all processes, fake-clock at 99 Hz, 100 samples/s, 1.01 cores, "
        "90.0 % complete, by function, sort self"
    )
    assert lines[-2].startswith("last 10 s  6 shown, 0 hidden  lost 0  no_row 1  ebprof ")
    assert lines[-1] == KEYS


def test_keys_choose_the_order(table: Table) -> None:
    for name in (*SORTS[1:], CHANGE, SORTS[0]):
        assert f"sort {name}" in table.press("s")[0]
    assert "sort total" in table.press(RIGHT)[0] and table.names()[:2] == ["serve", "main"]
    assert "sort self" in table.press(LEFT)[0]
    assert "sort self reversed" in table.press("r")[0] and table.names()[-1] == "compress"


def test_keys_choose_what_a_row_is(table: Table) -> None:
    for number, name in enumerate(PIVOTS, 1):
        lines = table.press(str(number))
        assert f"by {name}," in lines[0] and f" {name.upper()} " in lines[1]
    assert "by function," in table.press("b")[0]
    table.press("4")
    assert table.names() == ["web", "db"]


def test_a_filter_is_typed(table: Table) -> None:
    table.press("/", "r", "E")
    assert table.names() == ["compress", "read"]
    assert table.press(ENTER)[-1].startswith("filter: rE  (")
    assert table.press(ESCAPE)[-1] == KEYS and len(table.names()) == 6


def test_the_window_and_the_whole_run(table: Table) -> None:
    for _ in range(20):
        table.report.show()
    assert table.lines()[2].split()[2] == "600"
    lines = table.press("a")
    assert lines[2].split()[2] == "1,260" and lines[-2].startswith("whole run  ")
    assert table.press("a")[-2].startswith("last 10 s  ")


def test_command_lines_in_place_of_names(table: Table) -> None:
    labels = (Label("command", "web --port 80"),)
    table.recording.samples = [stack("main", 50, pid=11, comm="front", labels=labels)]
    table.report.show()
    table.press("3")
    assert "front" in table.names()
    lines = table.press("c")
    assert any("web --port 80" in line for line in lines) and "[web]" in table.names()
    assert "COMMAND" in table.press("1")[1]
    assert "COMMAND" not in table.press("c")[1]


def test_a_mark_begins_a_baseline(table: Table) -> None:
    assert "CHANGE" not in table.lines()[1]
    assert "marked: CHANGE is what grew" in table.press("m")[-1]
    for _ in range(WINDOW_S):
        table.report.show()
    lines = table.lines()
    assert "CHANGE" in lines[1] and "marked (M clears it)" in lines[-2]
    assert lines[2].split()[4] == "="
    assert "CHANGE" not in table.press("M")[1] or "=" not in table.lines()[2]


def test_a_window_is_saved(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table.report.show()
    said = table.press("w")[-1]
    (path,) = tmp_path.iterdir()
    saved = read_profile(str(path))
    assert f"saved {saved.total:,} samples: {path.name}" in said
    assert path.name.endswith(".pb.gz") and saved.total % 100 == 0
    assert {one.comm for one in saved.samples} == {"web", "db"}
    table.press("w", "w")
    assert len(list(tmp_path.iterdir())) == 3


def test_what_cannot_be_saved_is_said(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    assert "cannot write ebprof-top-" in table.press("w")[-1]
    assert table.press("s")[-1] == KEYS


@pytest.mark.parametrize("key", ["f", " "])
def test_a_frozen_table_stays_until_it_goes_on(table: Table, key: str) -> None:
    assert "FROZEN" in table.press(key)[0]
    table.report.show()
    table.press("s")  # another order is of the same samples
    assert table.names()[0] == "serve" and table.lines()[2].split()[2] == "30"
    table.press("s", "s")
    assert table.lines()[2].split()[2] == "60"
    assert "FROZEN" not in table.press(key)[0]
    assert table.lines()[2].split()[2] == "120"


def test_rows_are_selected_and_followed(table: Table) -> None:
    assert table.selected() == []
    table.press(DOWN)
    assert table.selected() == ["compress"]
    table.press(DOWN, DOWN, UP)
    assert table.selected() == ["serve"]
    table.press("r")
    assert table.selected() == ["serve"] and table.names()[-1] == "compress"
    table.press(HOME)
    assert table.selected() == []


def test_a_selection_scrolls(table: Table) -> None:
    table.recording.samples = tuple(stack(f"f{n}", 1000 - n) for n in range(30))
    table.report.show()
    table.press(*[DOWN] * 10)
    assert table.names() == [f"f{n}" for n in range(2, 2 + ROOM)]
    assert table.selected() == ["f9"]
    table.press(*[PAGE_DOWN] * 9)
    assert len(table.names()) == ROOM and table.selected() == [table.names()[-1]]


def test_enter_shows_callers_and_callees(table: Table) -> None:
    lines = table.press(DOWN, DOWN, ENTER)
    assert lines[1] == "serve (demo)  self 30.0 %, total 90.0 %, 90 samples"
    assert lines[2].split()[-2:] == ["CALLERS", "MODULE"]
    assert lines[3].split() == ["100.0", "90.0", "90", "main", "demo"]
    assert lines[4].split()[-2:] == ["CALLEES", "MODULE"]
    assert lines[5].split() == ["66.7", "60.0", "60", "compress", "demo"]
    assert lines[6].split() == ["33.3", "30.0", "30", "[self]"]
    assert lines[-1] == BUTTERFLY_KEYS


@pytest.mark.parametrize("key", [ENTER, LEFT, BACKSPACE, ESCAPE])
def test_the_way_back(table: Table, key: str) -> None:
    table.press(DOWN, DOWN, ENTER)
    assert table.press(key)[-1] == KEYS
    assert table.selected() == ["serve"]


def test_enter_goes_on_to_callers_and_callees(table: Table) -> None:
    table.press(DOWN, DOWN, ENTER)
    assert table.press(DOWN, ENTER)[1].startswith("main (demo)")
    assert table.press(BACKSPACE)[1].startswith("serve (demo)")
    assert table.press(DOWN, ENTER)[1].startswith("compress (demo)")
    table.press(BACKSPACE, DOWN, ENTER)  # there is nothing behind [self]
    assert table.lines()[1].startswith("serve (demo)")
    assert table.press(BACKSPACE)[-1] == KEYS


def test_enter_narrows_a_process_down_to_its_functions(table: Table) -> None:
    lines = table.press("3", DOWN, DOWN, ENTER)
    assert "in db (9), by function," in lines[0]
    assert lines[2].split()[:5] == ["100.0", "100.0", "10", "10.1", "read"]
    assert table.press(DOWN, ENTER)[1].startswith("read ([kernel.kallsyms])  self 100.0 %")
    assert "in db (9)" in table.press(BACKSPACE)[0]
    assert "by process," in table.press(LEFT)[0] and table.selected() == ["db"]


def test_enter_without_a_selection_does_nothing(table: Table) -> None:
    assert table.press(ENTER, BACKSPACE, ESCAPE)[-1] == KEYS


def test_a_pivot_leaves_a_function(table: Table) -> None:
    assert "by thread" in table.press(DOWN, ENTER, "4")[0]


def test_many_callers_and_callees_share_the_screen(table: Table) -> None:
    table.recording.samples = tuple(stack(f"a{n};f;b{n}", 100) for n in range(30))
    table.report.show()
    table.press("/", "f", ENTER, ESCAPE, "s", DOWN, ENTER)
    lines = table.lines()
    assert lines[1].startswith("f (demo)")
    assert sum(" a" in one for one in lines[3:-2]) == 3
    assert sum(" b" in one for one in lines[3:-2]) == 3
    assert any(" a9 " in one for one in table.press(*[DOWN] * 10))
    assert any(" b29 " in one for one in table.press(*[DOWN] * 60))


def test_help_comes_and_goes(table: Table) -> None:
    assert HELP[0] in table.press("h")
    assert HELP[0] not in table.press("x")
    assert not table.report.is_over


def test_q_ends_it(table: Table) -> None:
    table.press("q")
    assert table.report.is_over


def test_a_filter_is_left_behind_and_found_again(table: Table) -> None:
    table.press("3", "/", "d", "b", ENTER, DOWN)
    lines = table.press(ENTER)
    assert "in db (9)" in lines[0] and table.names()[0] == "read"
    assert table.press(BACKSPACE)[-1].startswith("filter: db  (")


def test_names_that_are_not_known_yet_are_said(table: Table) -> None:
    table.recording.lag = 1
    table.report.show()
    assert "reading symbols" in table.lines()[-2]


@pytest.mark.parametrize("columns", [60, 80])
def test_what_tells_rows_apart_stays(table: Table, columns: int) -> None:
    with Pty(columns, 12) as pty, Screen(pty.inner, Keyboard(pty.inner)) as screen:
        narrow = Table(pty, table.recording, screen)
        assert " PID" in narrow.press("3")[1]
        assert " PID" in narrow.press("4")[1] and " TID" in narrow.lines()[1]


@pytest.mark.parametrize("columns", [60, 80, 230])
def test_it_fits_any_width(table: Table, columns: int) -> None:
    with Pty(columns, 12) as pty, Screen(pty.inner, Keyboard(pty.inner)) as screen:
        lines = Table(pty, table.recording, screen).lines()
        assert "compress" in lines[2] and lines[2].split()[:2] == ["60.0", "60.0"]
        assert ("LAST MINUTE" in lines[1]) == (columns > 60)
