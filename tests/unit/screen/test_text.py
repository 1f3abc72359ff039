from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebprof.screen.text import Span, clean, crop, fit, span, sparkline, width_of


@given(st.text(), st.integers(0, 40), st.sampled_from(["left", "right"]))
def test_a_fitted_text_has_its_width_and_nothing_that_moves_the_cursor(
    text: str, width: int, align: str
) -> None:
    fitted = fit(text, width, "left" if align == "left" else "right")
    assert width_of(fitted) == width
    assert fitted.isprintable()


@pytest.mark.parametrize(
    ("text", "width", "align", "fitted"),
    [
        ("abc", 5, "left", "abc  "),
        ("abc", 5, "right", "  abc"),
        ("abc", 3, "left", "abc"),
        ("abcd", 3, "left", "ab…"),
        ("abcd", 3, "right", "ab…"),
        ("日本語", 6, "left", "日本語"),
        ("日本語", 5, "left", "日本…"),
        ("日本語", 4, "left", "日 …"),
        ("x\x1b[31my", 9, "left", "x\N{REPLACEMENT CHARACTER}[31my  "),
        ("a\nb", 3, "left", "a\N{REPLACEMENT CHARACTER}b"),
        ("abc", 0, "left", ""),
    ],
)
def test_fit(text: str, width: int, align: str, fitted: str) -> None:
    assert fit(text, width, "left" if align == "left" else "right") == fitted


def test_writing_directions_do_not_turn() -> None:
    assert clean("a\u202eb") == "a\N{REPLACEMENT CHARACTER}b"


@given(st.lists(st.tuples(st.text(max_size=8), st.integers(0, 8))), st.integers(0, 30))
def test_a_cropped_line_is_as_wide_as_it_can_be(pairs: list[tuple[str, int]], width: int) -> None:
    whole = tuple(span(text, cells) for text, cells in pairs)
    cropped = crop(whole, width)
    assert sum(one.width for one in cropped) == min(width, sum(cells for _, cells in pairs))
    assert all(width_of(one.text) == one.width for one in cropped)


def test_crop_keeps_styles() -> None:
    assert crop((Span("abc", 3, "1"), Span("def", 3, "7")), 4) == (
        Span("abc", 3, "1"),
        Span("d", 1, "7"),
    )


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        ([], 4, "    "),
        ([0, 0], 4, "    "),
        ([8, 4, 1, 0], 4, "█▄▁ "),
        ([1000, 1], 4, "  █▁"),
        ([1, 1, 1, 1, 8, 8, 8], 4, "▁▁██"),
        ([float(number) for number in range(9)], 9, " ▁▂▃▄▅▆▇█"),
    ],
)
def test_sparkline(values: list[float], width: int, line: str) -> None:
    points = 8 if len(values) == 7 else width
    assert sparkline(values, width, points) == line


def test_a_sparkline_of_a_minute_ends_with_the_newest() -> None:
    minute = [0.0] * 59 + [5.0]
    assert sparkline(minute, 20) == " " * 19 + "█"
    assert sparkline([5.0, *([0.0] * 59)], 20) == "█" + " " * 19
    assert sparkline(minute, 0) == ""


@given(
    st.lists(st.floats(0, 1e18, allow_nan=False), max_size=60),
    st.integers(1, 80),
)
def test_a_sparkline_fills_its_width(values: list[float], width: int) -> None:
    line = sparkline(values, width)
    assert len(line) == width
    assert bool(line.strip()) == any(values)
