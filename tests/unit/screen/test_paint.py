from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebprof.screen.paint import Frame, Painter
from ebprof.screen.text import BOLD, BOLD_REVERSE, RED, REVERSE, Line, crop, line, span
from tests.unit.screen.terminal import Terminal

COLUMNS, ROWS = 24, 4
PAINTER = Painter(colour=True)


def spans() -> st.SearchStrategy[Line]:
    text = st.text("ab 日é", max_size=6)
    one = st.builds(span, text, st.integers(1, 9), st.sampled_from(["", BOLD, RED]))
    return st.lists(one, max_size=4).map(lambda parts: crop(tuple(parts), COLUMNS))


def frames() -> st.SearchStrategy[list[Line]]:
    return st.lists(spans(), max_size=ROWS)


def painted(*shown: Frame) -> Terminal:
    terminal = Terminal(COLUMNS, ROWS)
    before: Frame = ()
    for frame in shown:
        terminal.feed(PAINTER.difference(before, frame, COLUMNS))
        before = frame
    return terminal


@given(frames(), frames())
def test_a_difference_leads_to_what_drawing_anew_shows(old: list[Line], new: list[Line]) -> None:
    assert painted(old, new).cells == painted(new).cells


def test_text_and_styles_are_where_they_belong() -> None:
    terminal = painted([(span("a", 3, BOLD), span("b", 2, RED)), line("x", 4)])
    assert terminal.lines == ["a  b", "x", "", ""]
    assert [style for _, style in terminal.cells[0]][:6] == [BOLD] * 3 + [RED] * 2 + [""]


def test_only_cells_that_changed_are_sent() -> None:
    old = [(span("a", 8), span("1", 8)), (span("b", 8), span("2", 8))]
    new = [(span("a", 8), span("1", 8)), (span("b", 8), span("3", 8))]
    assert PAINTER.difference(old, new, COLUMNS) == "\x1b[2;9H\x1b[0m3       "
    assert PAINTER.difference(new, new, COLUMNS) == ""


def test_the_last_cell_of_a_full_line_is_not_erased() -> None:
    assert painted([line("x" * COLUMNS, COLUMNS)]).lines[0] == "x" * COLUMNS


def test_a_character_that_the_terminal_takes_for_wider_moves_nothing() -> None:
    text = PAINTER.difference((), [(span("日", 4), span("b", 2))], COLUMNS)
    assert "\x1b[5G" in text and text.index("日") < text.index("\x1b[5G") < text.index("b")


@pytest.mark.parametrize(("style", "kept"), [(RED, ""), (BOLD_REVERSE, "1;7"), ("1;31", "1")])
def test_without_colour_the_rest_of_a_style_stays(style: str, kept: str) -> None:
    terminal = Terminal(COLUMNS, ROWS)
    terminal.feed(Painter(colour=False).difference((), [line("x", 1, style)], COLUMNS))
    assert terminal.cells[0][0] == ("x", kept)


def test_lines_that_scroll_leave_out_what_only_fills_the_screen() -> None:
    terminal = Terminal(COLUMNS, ROWS)
    terminal.feed(PAINTER.lines([line("a", 2, REVERSE), (), line("b", 2), ()]))
    assert terminal.lines == ["a", "b", "", ""]
