from __future__ import annotations

import io
import json
import os
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given

from ebprof import plugins
from ebprof.comparison import Comparison, compare, reports, shades, text
from ebprof.comparison.ranking import View
from ebprof.comparison.reports import table
from ebprof.model import Profile
from tests.builders import HOSTILE, example, profile, stack
from tests.unit.comparison.test_join import ANY, STACKS, folded

SPACE = "{http://www.w3.org/2000/svg}"
NAMES = plugins.names(reports)
BEFORE = profile(stack("main;f", 60), stack("main;gone;read_[k]", 40))
AFTER = profile(stack("main;f", 100), stack("main;new", 98), stack("main;gone;read_[k]", 2))
FAULTS = tuple(replace(one, event="page-faults", unit="count") for one in (BEFORE, AFTER))


def written(name: str, comparison: Comparison, view: View | None = None) -> str:
    file = io.BytesIO()
    module = plugins.load(reports, name)
    assert module is not None
    module.write(comparison, view or View(), file)
    return file.getvalue().decode()


def rows(text: str) -> dict[str, list[str]]:
    """Cells by function, of a table whose functions and modules are single words."""
    cells = [line.split() for line in text.splitlines()]
    return {cell[6]: cell[:6] for cell in cells if len(cell) == 8 and cell[0] not in ("A:", "B:")}


def page_data(text: str) -> Any:
    match = re.search(r'<script id="data" type="application/json">(.*?)</script>', text)
    assert match is not None
    return json.loads(match[1])


def test_table_has_both_shares_and_the_change() -> None:
    text = written("table", compare(BEFORE, AFTER))
    found = rows(text)
    assert list(found) == ["new", "read", "f", "gone"]  # main has not changed
    assert found["new"] == ["0.00%", "49.00%", "+49.00", "0.00%", "49.00%", "+49.00"]
    assert found["read"] == ["40.00%", "1.00%", "-39.00", "40.00%", "1.00%", "-39.00"]
    assert found["f"] == ["60.00%", "50.00%", "-10.00~", "60.00%", "50.00%", "-10.00~"]
    assert "A: A, 100 samples, 1.0 s, 0.10 cores\nB: B, 200 samples, 1.0 s, 0.20 cores\n" in text


def test_table_of_counts() -> None:
    found = rows(written("table", compare(FAULTS[0], FAULTS[1], is_absolute=True)))
    assert found["f"] == ["60", "100", "+40", "60", "100", "+40"]
    assert found["main"] == ["0", "0", "0", "100", "200", "+100"]


def test_table_of_cores() -> None:
    found = rows(written("table", compare(BEFORE, AFTER, is_absolute=True)))
    assert found["f"] == ["0.06", "0.10", "+0.04", "0.06", "0.10", "+0.04"]
    assert found["main"] == ["0.00", "0.00", "0", "0.10", "0.20", "+0.10"]


def test_a_page_of_cores_has_millionths() -> None:
    page = page_data(written("flamegraph", compare(BEFORE, AFTER, is_absolute=True)))
    assert page["diff"]["measure"] == {"steps": [["", 1_000_000]], "noun": "cores"}
    assert sum(page["diff"]["b"]) == 200_000 and page["diff"]["whole"] == [200_000, 200_000]


def test_folded_cores_are_of_as_long_a_time() -> None:
    longer = replace(AFTER, duration_ns=4 * 10**9)
    written_lines = written("folded", compare(BEFORE, longer, is_absolute=True)).splitlines()
    assert written_lines[0] == "demo;main;f 240 100"


@pytest.mark.parametrize(
    ("fields", "is_absolute", "said"),
    [
        ({}, False, "A kept 0.10 cores busy, B 0.20: shares do not show that"),
        ({"duration_ns": 2 * 10**9}, False, ""),
        ({}, True, ""),
        ({"event": "faults", "unit": "count"}, True, ""),
        (
            {"event": "faults", "unit": "count", "duration_ns": 2 * 10**9},
            True,
            "A is 1.0 s long, B 2.0 s: their amounts are of unequal times",
        ),
    ],
)
def test_what_is_easily_overlooked(fields: dict[str, Any], is_absolute: bool, said: str) -> None:
    alike = {key: value for key, value in fields.items() if key != "duration_ns"}
    comparison = compare(
        replace(BEFORE, **alike), replace(AFTER, **fields), is_absolute=is_absolute
    )
    warnings = text.warnings(comparison)
    assert len(warnings) == bool(said) and all(said in one for one in warnings)


def test_table_by_total_has_so_many_rows() -> None:
    text = written("table", compare(BEFORE, AFTER, is_absolute=True), View("total", 1))
    assert list(rows(text)) == ["main"]
    assert "4 more functions changed" in text


def test_table_of_the_same() -> None:
    assert written("table", compare(BEFORE, BEFORE)).startswith("no function changed\n")


def test_folded_has_two_counts_of_which_the_first_is_scaled() -> None:
    assert written("folded", compare(BEFORE, AFTER)).splitlines() == [
        "demo;main;f 120 100",
        "demo;main;gone;read_[k] 80 2",
        "demo;main;new 0 98",
    ]
    assert written("folded", compare(BEFORE, AFTER, is_absolute=True)).splitlines()[0] == (
        "demo;main;f 60 100"
    )


@given(STACKS, STACKS)
def test_folded_sums_are_the_second_total(one: Profile, other: Profile) -> None:
    counts = [
        line.rsplit(" ", 2)[1:] for line in written("folded", compare(one, other)).split("\n")
    ]
    before, after = zip(*(map(int, pair) for pair in counts if pair), strict=True)
    assert sum(before) == sum(after) == other.total


def test_json_has_everything() -> None:
    document = json.loads(written("json", compare(BEFORE, AFTER, ("old", "new"))))
    assert (document["format"], document["a"]["name"], document["b"]["name"]) == (
        "ebprof diff",
        "old",
        "new",
    )
    assert document["changed"] == len(document["functions"]) == 4
    assert document["functions"][1] == {
        "function": "read",
        "module": "[kernel.kallsyms]",
        "kind": "kernel",
        "self": {"a": 40, "b": 2, "points": -39.0, "is_chance": False},
        "total": {"a": 40, "b": 2, "points": -39.0, "is_chance": False},
    }


def test_page_has_all_stacks_of_both() -> None:
    data = page_data(written("flamegraph", compare(BEFORE, AFTER)))
    names = data["functions"]["name"]
    nodes = iter(data["nodes"])
    path: list[str] = []
    stacks: dict[str, tuple[int, int]] = {}
    ends = zip(data["diff"]["a"], data["diff"]["b"], strict=True)
    for common, added, pair in zip(data["common"], data["added"], ends, strict=True):
        path[common:] = [names[next(nodes)] for _ in range(added)]
        stacks[";".join(path)] = pair
    assert stacks == {
        "demo;main;f": (60, 100),
        "demo;main;gone;read": (40, 2),
        "demo;main;new": (0, 98),
    }
    assert data["diff"]["whole"] == [100, 200]


@pytest.mark.parametrize("widths", ["A", "B"])
def test_widths_may_be_those_of_either(widths: str) -> None:
    comparison, view = compare(BEFORE, AFTER), View(widths=widths)
    assert page_data(written("flamegraph", comparison, view))["diff"]["widths"] == widths
    assert ("<title>new (" in written("svg", comparison, view)) == (widths == "B")


def test_picture_is_red_where_it_grew_and_blue_where_it_shrank() -> None:
    picture = ElementTree.fromstring(written("svg", compare(BEFORE, AFTER)))
    boxes = {
        (group.findtext(f"{SPACE}title") or "").split(" (")[0]: group
        for group in picture.iter(f"{SPACE}g")
    }
    fills = {name: (box.find(f"{SPACE}rect")) for name, box in boxes.items()}
    found = {name: fill.get("fill") for name, fill in fills.items() if fill is not None}
    assert found["new"] == shades.LIGHT["grew"][-1]
    assert found["read"] == found["f"] == shades.LIGHT["shrank"][-1]
    assert found["main"] == found["all"] == shades.LIGHT["same"][0]
    assert boxes["read"].findtext(f"{SPACE}title") == (
        "read (40.00% in A, 1.00% in B, -39.00 points, [kernel.kallsyms])"
    )


@pytest.mark.parametrize(
    ("points", "shade"),
    [
        (0.0, ("same", 0)),
        (0.19, ("same", 0)),
        (-0.2, ("shrank", 0)),
        (1.0, ("grew", 1)),
        (-9.99, ("shrank", 2)),
        (100.0, ("grew", 3)),
    ],
)
def test_steps_of_shades(points: float, shade: tuple[str, int]) -> None:
    assert shades.shade(points) == shade


@pytest.mark.parametrize(("palette", "text"), [(shades.LIGHT, "#1f2328"), (shades.DARK, "#e8e6e3")])
def test_labels_can_be_read_on_each_shade(palette: dict[str, tuple[str, ...]], text: str) -> None:
    for direction in palette.values():
        for color in direction:
            assert _contrast(color, text) >= 4.5, color


def _contrast(first: str, second: str) -> float:
    """WCAG 2.2, contrast ratio."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_absolute", [False, True])
def test_every_report_of_every_kind_of_frame(name: str, is_absolute: bool) -> None:
    comparison = compare(example(), folded(HOSTILE), (HOSTILE, HOSTILE), is_absolute=is_absolute)
    text = written(name, comparison)
    assert "\x1b" not in text
    if name == "svg":
        ElementTree.fromstring(text)
    if name == "flamegraph":
        assert text.count("<script") == 2


@given(ANY)
def test_every_report_of_whatever_names(one: Profile) -> None:
    comparison = compare(one, one)
    for name in NAMES:
        assert written(name, comparison)
    ElementTree.fromstring(written("svg", comparison))


class Terminal(io.BytesIO):
    """A file that is a terminal of some width."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("width", "sort", "shown"),
    [
        (60, "self", ["SELF A", "SELF B", "FUNCTION"]),
        (60, "total", ["TOTAL A", "TOTAL B", "FUNCTION"]),
        (85, "self", ["SELF A", "SELF B", "TOTAL A", "TOTAL B", "FUNCTION"]),
        (120, "self", ["SELF A", "SELF B", "TOTAL A", "TOTAL B", "FUNCTION", "MODULE"]),
        (200, "self", ["SELF A", "SELF B", "TOTAL A", "TOTAL B", "FUNCTION", "MODULE"]),
    ],
)
def test_a_table_fits_its_terminal(
    monkeypatch: pytest.MonkeyPatch, width: int, sort: str, shown: list[str]
) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((width, 24)))
    monkeypatch.setenv("NO_COLOR", "1")
    name = "ns::a_function_with_a_name_that_is_not_short(int)"
    comparison = compare(profile("main;f", f"main;{name}"), profile(f"main;{name}"))
    file = Terminal()
    table.write(comparison, View(sort), file)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue().decode())
    assert max(map(len, plain.splitlines())) <= width
    headings = re.split(r" {2,}", plain.splitlines()[0].strip())
    assert [one for one in headings if one != "CHANGE"] == shown
    assert name[:25] in plain


def test_a_table_in_a_file_has_whole_names() -> None:
    name = "f" * 500
    assert name in written("table", compare(profile("g"), profile(name)))
