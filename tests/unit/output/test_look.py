"""What rows are, and what stacks begin with."""

from __future__ import annotations

import pytest

from ebprof.errors import UsageError
from ebprof.model import COMMAND, CONTAINER, Label, Profile
from ebprof.output import (
    PIVOTS,
    Look,
    OutputFormat,
    as_seen,
    flamegraph,
    folded,
    json,
    pprof,
    styled,
    svg,
    table,
)
from tests.builders import profile, stack
from tests.unit.output.written import written

INSIDE = (Label(CONTAINER, "ab" * 32),)
LONG = "std::vector<int, std::allocator<int> >::end()"


def rooted(one: Profile, by: str) -> list[str]:
    return written(folded, as_seen(one, folded, Look(by))).decode().splitlines()


def test_a_root_for_each_container() -> None:
    made = profile(
        stack("main;f", 1, comm="web"),
        stack("main;f", 2, comm="web", labels=INSIDE),
        stack("main;f", 4, comm="db", labels=(Label("other", "x"), *INSIDE)),
        stack("", 8, comm="", labels=INSIDE),
    )
    assert rooted(made, "container") == [
        "[no container];web;main;f 1",
        f"{'ab' * 32};[unknown] 8",
        f"{'ab' * 32};db;main;f 4",
        f"{'ab' * 32};web;main;f 2",
    ]
    for look in (Look(), Look("comm")):
        assert as_seen(made, folded, look) is made


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("process", ["web (1);main;f 7", "web (2);main;f 4"]),
        ("thread", ["io (1/3);main;f 2", "web (1/1);main;f 5", "web (2/2);main;f 4"]),
        ("command", ["[web];web;main;f 4", "web --fast;io;main;f 2", "web --fast;web;main;f 5"]),
    ],
)
def test_a_root_for_each_owner(by: str, expected: list[str]) -> None:
    fast = (Label(COMMAND, "web --fast"),)
    made = profile(
        stack("main;f", 5, comm="web", pid=1, labels=fast),
        stack("main;f", 2, comm="io", pid=1, tid=3, labels=fast),
        stack("main;f", 4, comm="web", pid=2),
    )
    assert rooted(made, by) == expected


@pytest.mark.parametrize("output", [pprof, json])
def test_formats_without_roots_are_refused(output: OutputFormat) -> None:
    assert styled(output, Look()) is output
    with pytest.raises(UsageError, match="--by container needs a table, or a format of whole"):
        styled(output, Look("container"))


@pytest.mark.parametrize("output", [folded, svg, flamegraph])
@pytest.mark.parametrize("by", PIVOTS)
def test_stacks_begin_with_owners(output: OutputFormat, by: str) -> None:
    if by in ("function", "module"):
        with pytest.raises(UsageError, match=f"--by {by} needs a table"):
            styled(output, Look(by))
    else:
        assert styled(output, Look(by)) is output


@pytest.mark.parametrize("by", PIVOTS)
def test_a_table_has_rows_of_anything(by: str) -> None:
    made = profile("main;f")
    look = Look(by)
    text = written(styled(table, look), as_seen(made, table, look)).decode()
    assert by.upper() in text.splitlines()[1].split()


def test_only_tables_have_a_width() -> None:
    with pytest.raises(UsageError, match="--width is for tables"):
        styled(folded, Look(width=80))


@pytest.mark.parametrize("output", [svg, flamegraph, folded, pprof])
def test_names_are_short_where_people_read_them(output: OutputFormat) -> None:
    """Programs, and files that are read again, get whole ones."""
    made = profile(f"main;{LONG}", "main;g")
    short = as_seen(made, output, Look()).samples.tables
    names = {one.function for one in short.frame_values}
    is_short = output in (svg, flamegraph)
    assert names == {"main", "g", "std::vector<int>::end()" if is_short else LONG}
    assert as_seen(made, output, Look(full_names=True)) is made
