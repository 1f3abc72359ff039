"""Samples as rows: which counts they have, in which order, and what calls what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ebprof.errors import UsageError
from ebprof.model import CONTAINER, Label
from ebprof.output._rank import rank
from ebprof.top.reports.columns import change_text
from ebprof.top.rows import CHANGE, HotReport, HotRow
from ebprof.top.table import WINDOW_S, HotTable, Within, check_pivot, check_sort
from tests.builders import many_stacks, stack
from tests.hot import CLOCK, stacks, table, taken


def report(
    made: HotTable,
    sort: str = "self",
    text: str = "",
    *,
    reverse: bool = False,
    whole: bool = False,
) -> HotReport:
    return made.report(made.order(sort, text, reverse=reverse, whole=whole), whole=whole)


def counts(made: HotTable, **order: object) -> dict[str, tuple[int, int]]:
    """(self, total) by name, in order."""
    return {one.name: (one.own, one.total) for one in report(made, **order).rows}  # type: ignore[arg-type]


def row(made: HotTable, name: str) -> HotRow:
    (found,) = (one for one in report(made).rows if one.name == name)
    return found


def test_self_and_total() -> None:
    made = table(stack("main;f;g", 3), stack("main;f", 5), stack("main;h;f", 1))
    assert counts(made) == {"f": (6, 9), "g": (3, 3), "main": (0, 9), "h": (0, 1)}
    assert report(made).samples == 9 and report(made).seconds == 1.0


def test_recursion_counts_once() -> None:
    assert counts(table(stack("main;f;f;f", 4)))["f"] == (4, 4)


def test_it_counts_as_the_table_of_a_profile_does() -> None:
    profile = many_stacks(stacks=500)
    made = HotTable(stacks())
    made.add(profile.samples[:200], 1.0)
    made.add(profile.samples[200:], 1.0)
    expected = {one.name: (one.own, one.total) for one in rank(profile)}
    assert counts(made) == expected
    assert counts(made, whole=True) == expected


@pytest.mark.parametrize(
    ("sort", "names"),
    [("self", ["g", "f", "main"]), ("total", ["main", "f", "g"]), ("name", ["f", "g", "main"])],
)
def test_orders(sort: str, names: list[str]) -> None:
    made = table(stack("main;f;g", 3), stack("main;f", 2), stack("main", 1))
    assert list(counts(made, sort=sort)) == names
    assert list(counts(made, sort=sort, reverse=True)) == names[::-1]


def test_the_window_forgets_and_the_whole_run_does_not() -> None:
    made = table(stack("old", 7))
    for _ in range(WINDOW_S):
        made.add(taken("new"), 1.0)
    assert counts(made) == {"new": (WINDOW_S, WINDOW_S)}
    assert report(made).samples == WINDOW_S
    assert counts(made, whole=True) == {"new": (WINDOW_S, WINDOW_S), "old": (7, 7)}
    assert report(made, whole=True).samples == WINDOW_S + 7
    assert report(made, whole=True).seconds == WINDOW_S + 1


def test_history_is_samples_a_second() -> None:
    made = table(stack("f", 4), seconds=2.0)
    made.add(taken(), 1.0)
    made.add(taken(stack("f", 3)), 1.0)
    assert row(made, "f").history == (2.0, 0.0, 3.0)


def test_history_is_that_of_the_last_minute() -> None:
    made = table("f")
    for _ in range(100):
        made.add(taken(stack("f", 2)), 1.0)
    assert row(made, "f").history == (2.0,) * 60


def test_modules() -> None:
    made = table(stack("main;f;write_[k]", 3), stack("main;f", 2))
    made.choose("module")
    assert counts(made) == {"[kernel.kallsyms]": (3, 3), "demo": (2, 5)}


def test_processes_and_threads() -> None:
    made = table(
        stack("f", 1, pid=7, comm="web"),
        stack("f", 2, pid=7, tid=8, comm="io"),
        stack("f", 4, pid=9, comm="db"),
    )
    made.choose("process")
    rows = [(one.name, one.pid, one.own, one.total) for one in report(made).rows]
    assert rows == [("db", 9, 4, 4), ("web", 7, 3, 3)]
    made.choose("thread")
    threads = [(one.name, one.tid, one.pid, one.own) for one in report(made).rows]
    assert threads == [("db", 9, 9, 4), ("io", 8, 7, 2), ("web", 7, 7, 1)]


def test_containers() -> None:
    inside = (Label(CONTAINER, "ab" * 32),)
    samples = [
        stack("f", 1, pid=7, comm="web"),
        replace(stack("f", 2, pid=8, comm="db"), labels=inside),
        replace(stack("g", 4, pid=9, comm="io"), labels=(Label("other", "x"), *inside)),
    ]
    made = table(*samples)
    made.choose("container")
    rows = [(one.name, one.pid, one.own, one.total) for one in report(made).rows]
    assert rows == [("ab" * 32, None, 6, 6), ("[no container]", 7, 1, 1)]
    within = Within("container", report(made).rows[0].number)
    assert made.name_of(within) == "ab" * 32
    made.choose("function", (within,))
    assert counts(made) == {"g": (4, 4), "f": (2, 2)}


def test_a_row_of_several_processes_has_none() -> None:
    made = table(stack("f;own", pid=7, comm="web"), stack("f", pid=9, comm="db"))
    assert (row(made, "f").pid, row(made, "f").comm) == (None, None)
    assert (row(made, "own").pid, row(made, "own").comm) == (7, "web")


def test_another_pivot_counts_all_that_came_before() -> None:
    made = table(stack("old", 7))
    for _ in range(WINDOW_S):
        made.add(taken("new"), 1.0)
    made.choose("module")
    assert counts(made) == {"demo": (WINDOW_S, WINDOW_S)}
    assert counts(made, whole=True) == {"demo": (WINDOW_S + 7, WINDOW_S + 7)}
    assert row(made, "demo").history == (7.0, *(1.0,) * WINDOW_S)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("RE", {"read", "free"}),
        ("kernel", {"read"}),
        ("db", {"free"}),
        ("9", {"free"}),
        ("x", set()),
    ],
)
def test_a_filter_is_part_of_a_cell(text: str, names: set[str]) -> None:
    made = table(stack("main;read_[k]", pid=7, comm="web"), stack("main;free", pid=9, comm="db"))
    assert set(counts(made, text=text)) == names
    assert report(made, text=text).samples == 2


def test_only_so_many_rows() -> None:
    made = table(*(stack(f"f{number}", 10 - number) for number in range(6)))
    part = made.report(made.order(), 2, 3)
    assert [one.name for one in part.rows] == ["f2", "f3", "f4"]
    assert part.hidden == 3


@pytest.mark.parametrize(
    ("pivot", "expected"),
    [
        ("process", {"f": (3, 3), "main": (0, 3)}),
        ("thread", {"f": (2, 2), "main": (0, 2)}),
        ("module", {"k": (9, 9), "main": (0, 9)}),
    ],
)
def test_narrowed_down(pivot: str, expected: dict[str, tuple[int, int]]) -> None:
    made = table(
        stack("main;f", 2, pid=7, comm="web"),
        stack("main;f", 1, pid=7, tid=8, comm="io"),
        stack("main;k_[k]", 9, pid=9, comm="db"),
    )
    number = {"process": 0, "thread": 0, "module": 1}[pivot]
    if pivot == "module":
        made.choose("module")
        number = row(made, "[kernel.kallsyms]").number
    made.choose("function", (Within(pivot, number),))
    assert counts(made) == expected
    assert counts(made, whole=True) == expected
    assert report(made).samples == next(iter(expected.values()))[1]


def test_what_it_is_narrowed_down_to_has_a_name() -> None:
    made = table(stack("f", pid=7, comm="web"))
    names = [made.name_of(Within(pivot, 0)) for pivot in ("module", "process", "thread")]
    assert names == ["demo", "web (7)", "web (7)"]


def neighbours(made: HotTable, name: str) -> tuple[dict[str, int], dict[str, int]]:
    found = made.butterfly(row(made, name).number)
    return (
        {one.name: one.count for one in found.callers},
        {one.name: one.count for one in found.callees},
    )


def test_callers_and_callees() -> None:
    made = table(stack("main;a;f;g", 3), stack("main;b;f", 2), stack("f;h", 1), stack("main", 9))
    callers, callees = neighbours(made, "f")
    assert callers == {"a": 3, "b": 2, "[outermost]": 1}
    assert callees == {"g": 3, "[self]": 2, "h": 1}
    found = made.butterfly(row(made, "f").number)
    assert (found.row.own, found.row.total, found.samples) == (2, 6, 15)
    assert [one.count for one in found.callers] == [3, 2, 1]


def test_a_recursive_function_is_not_its_own_neighbour() -> None:
    callers, callees = neighbours(table(stack("main;f;x;f;g", 2), stack("main;f;f", 3)), "f")
    assert callers == {"main": 5}
    assert callees == {"g": 2, "[self]": 3}


def test_callers_are_those_of_the_samples_it_is_narrowed_down_to() -> None:
    made = table(stack("a;f", 2, pid=7), stack("b;f", 3, pid=9))
    made.choose("function", (Within("process", 1),))
    assert neighbours(made, "f") == ({"b": 3}, {"[self]": 3})


def test_callers_in_the_window_and_in_the_whole_run() -> None:
    made = table("old;f")
    for _ in range(WINDOW_S):
        made.add(taken("new;f"), 1.0)
    number = row(made, "f").number
    assert [one.name for one in made.butterfly(number).callers] == ["new"]
    assert {one.name for one in made.butterfly(number, whole=True).callers} == {"new", "old"}


def test_a_function_that_left_the_window_has_no_callers() -> None:
    made = table("old;f")
    number = row(made, "f").number
    for _ in range(WINDOW_S):
        made.add(taken("new"), 1.0)
    assert made.butterfly(number).callers == () and made.butterfly(number).row.total == 0


def test_a_held_table_stays_and_nothing_is_lost() -> None:
    made = table("f")
    made.hold(True)
    for _ in range(100):
        made.add(taken("g"), 1.0)
    assert counts(made) == {"f": (1, 1)}
    made.hold(False)
    assert counts(made, whole=True) == {"g": (100, 100), "f": (1, 1)}
    assert report(made, whole=True).seconds == 101
    assert counts(made) == {"g": (WINDOW_S, WINDOW_S)}


def test_a_cleared_table_keeps_its_numbers() -> None:
    made = table("f", "g")
    number = row(made, "g").number
    made.clear()
    assert report(made).rows == () and report(made).seconds == 0
    made.add(taken("g"), 1.0)
    assert row(made, "g").number == number


def test_more_functions_than_there_was_room_for() -> None:
    made = table(*(f"f{number}" for number in range(300)))
    made.add(taken(*(f"f{number}" for number in range(1000))), 1.0)
    assert len(report(made).rows) == 1000
    assert row(made, "f0").total == 2 and row(made, "f999").history == (0.0, 1.0)


def test_words_that_are_none_of_ours_are_refused() -> None:
    with pytest.raises(UsageError, match="'flow'"):
        check_pivot("flow")
    with pytest.raises(UsageError, match="'age'"):
        check_sort("age")


def after_a_mark(by: str = "function") -> HotTable:
    """Ten seconds of f and g, a mark, ten seconds of f, a bit more of g, and h."""
    made = HotTable(stacks())
    made.choose(by)
    for _ in range(WINDOW_S):
        made.add(taken(stack("main;f", 40, comm="a"), stack("main;g", 50, pid=2, comm="b")), 1.0)
    made.mark()
    for _ in range(WINDOW_S):
        samples = (
            stack("main;f", 80, comm="a"),
            stack("main;g", 51, pid=2, comm="b"),
            stack("h", 3, pid=3, comm="c"),
        )
        made.add(taken(*samples), 1.0)
    return made


def test_since_a_mark_rows_have_what_they_had_before() -> None:
    made = after_a_mark()
    shown = report(made)
    assert {one.name: (one.own, one.before) for one in shown.rows} == {
        "f": (800, 400),
        "g": (510, 500),
        "h": (30, 0),
        "main": (0, 0),
    }
    assert shown.before_s == WINDOW_S
    assert [change_text(CLOCK, one, shown) for one in shown.rows] == ["▲ 40.4", "=", "▲ new", "="]
    counted = replace(CLOCK, unit="count")
    assert change_text(counted, shown.rows[0], shown) == "▲ 40.0"
    made.clear_mark()
    assert {one.before for one in report(made).rows} == {None} and report(made).before_s == 0
    assert change_text(CLOCK, report(made).rows[0], report(made)) == ""


def test_what_grew_most_comes_first() -> None:
    made = after_a_mark()
    assert [one.name for one in report(made, CHANGE).rows] == ["f", "h", "g", "main"]
    made.clear_mark()
    assert [one.name for one in report(made, CHANGE).rows] == ["f", "g", "h", "main"]


@pytest.mark.parametrize("by", ["process", "comm"])
def test_a_mark_holds_whatever_rows_are(by: str) -> None:
    for made in (after_a_mark(by), after_a_mark()):
        made.choose(by)
        found = {one.name: (one.own, one.before) for one in report(made).rows}
        assert found == {"a": (800, 400), "b": (510, 500), "c": (30, 0)}


def test_what_shrank_points_down() -> None:
    made = table(stack("f", 900), seconds=10.0)
    made.mark()
    for _ in range(WINDOW_S):
        made.add(taken(stack("f", 9)), 1.0)
    shown = report(made)
    assert change_text(replace(CLOCK, unit="count"), shown.rows[0], shown) == "▼ 81.0"
