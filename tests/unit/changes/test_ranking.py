"""What stands first, and what others explain."""

from __future__ import annotations

import numpy as np

from ebprof.changes import Change, Observation, Spans, Subject, Table, find
from ebprof.changes.kinds import nodes

WINDOWS = 60
AT = np.arange(2 * WINDOWS)
AFTER = AT >= WINDOWS
SPANS = Spans(AT * 10_000, np.full(len(AT), 10.0), ~AFTER, AFTER, ~AFTER)


def table(amounts: dict[Subject, tuple[float, float]], quantum: float = 0) -> Table:
    """Subjects with what they have in each window before, and after; it varies by 1 %."""
    random = np.random.default_rng(1)
    means = np.array([np.where(AFTER, after, before) for before, after in amounts.values()])
    values = means * random.normal(1, 0.01, means.shape)
    services = {one.service for one in amounts}
    wholes = {
        service: sum(
            row for one, row in zip(amounts, values, strict=True) if one.service == service
        )
        for service in services
    }
    return Table(tuple(amounts), values, np.full(len(values), quantum), wholes)


def found(**tables: Table) -> list[Change]:
    named = {name.replace("__", "."): one for name, one in tables.items()}
    return find(Observation(SPANS, named))


def names(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(one.kind, one.subject.name, one.fate) for one in changes]


def test_the_largest_part_of_the_whole_stands_first() -> None:
    callers = {
        Subject("redis", "web"): (1e6, 1e6),
        Subject("redis", "shop"): (1e5, 9e5),
        Subject("redis", "reindexer"): (0.0, 9e6),
        Subject("redis", "cron"): (2e6, 0.0),
    }
    changes = found(callers__bytes_in=table(callers))
    assert names(changes) == [
        ("callers", "reindexer", "new"),
        ("callers", "cron", "gone"),
        ("callers", "shop", "more"),
    ]
    assert [round(one.weight, 2) for one in changes] == [0.83, 0.18, 0.07]


def test_one_row_has_all_measures_of_a_caller() -> None:
    subject = {Subject("redis", "web"): (1e5, 9e5)}
    (change,) = found(callers__bytes_in=table(subject), callers__connections=table(subject))
    assert [one.measure for one in change.figures] == ["bytes_in", "connections"]


def test_a_process_that_its_functions_explain_is_not_listed() -> None:
    process = table({Subject("search", "search"): (5.0, 9.0)}, 0.01)
    grown = {Subject("search", "f"): (1.0, 5.0), Subject("search", "g"): (4.0, 4.0)}
    assert names(found(processes__cores=process, functions__cores=table(grown, 0.01))) == [
        ("functions", "f", "more")
    ]
    alike = {Subject("search", "f"): (1.0, 1.8), Subject("search", "g"): (4.0, 7.2)}
    assert names(found(processes__cores=process, functions__cores=table(alike, 0.01))) == [
        ("processes", "search", "more")
    ]


def test_a_process_stands_behind_who_asks_it_for_more() -> None:
    process = table({Subject("redis", "redis-server"): (1.0, 9.0)}, 0.01)
    callers = table({Subject("redis", "web"): (9e5, 9e5), Subject("redis", "new"): (0.0, 1e5)})
    assert names(found(processes__cores=process, callers__bytes_in=callers)) == [
        ("callers", "new", "new"),
        ("processes", "redis-server", "more"),
    ]


def test_a_build_stands_behind_the_functions_that_it_has_changed() -> None:
    module = ("module", "search")
    builds = {
        Subject("search", "search", (module, ("build", "1"))): (5.0, 0.0),
        Subject("search", "search", (module, ("build", "2"))): (0.0, 9.0),
    }
    functions = {
        Subject("search", "f", (module,)): (1.0, 5.0),
        Subject("search", "g", (module,)): (4.0, 4.0),
    }
    changes = found(builds__cores=table(builds, 0.01), functions__cores=table(functions, 0.01))
    assert names(changes) == [("functions", "f", "more"), ("builds", "search", "new")]


def test_a_process_that_came_and_does_nothing_is_no_change() -> None:
    processes = {
        Subject("search", "search"): (5.0, 5.0),
        Subject("idle", "idle"): (0.0, 0.09),
        Subject("busy", "busy"): (0.0, 0.2),
    }
    changes = found(processes__cores=table(processes, 0.001))
    assert names(changes) == [("processes", "busy", "new")]


def test_nodes_come_and_go() -> None:
    seen = np.array(
        [
            np.ones(len(AT)),
            np.where(AFTER, 1.0, 0),
            np.where(AT < WINDOWS + 20, 1.0, 0),
            np.where(AT == WINDOWS + 30, 0, 1.0),
        ]
    )
    subjects = tuple(Subject("", name) for name in ("stays", "came", "went", "skipped"))
    windows = Table(subjects, seen, np.zeros(4), {"": seen.sum(axis=0)})
    changes = list(nodes.find(Observation(SPANS, {"nodes.windows": windows})))
    assert names(changes) == [("nodes", "came", "new"), ("nodes", "went", "gone")]
    assert [one.since_ms for one in changes] == [None, (WINDOWS + 20) * 10_000]
