from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebprof.model import FlowCounts, FlowReport, FlowRow
from ebprof.screen.browser import View
from ebprof.screen.live import Size
from ebprof.screen.paint import Painter
from ebprof.screen.text import DIM, RED
from ebprof.traffic.grouping import PIVOTS, SORTS
from ebprof.traffic.reports.columns import columns_by
from ebprof.traffic.reports.frame import HELP, KEYS, FlowFrame, Status
from tests.flows import CONTAINER, client, failing, other, report, server
from tests.unit.screen.terminal import Terminal

WIDE, NARROW = Size(200, 12), Size(60, 12)
STATUS = Status("fake", "--to :80", 0, 0)


def shown(
    flows: FlowReport,
    size: Size = WIDE,
    status: Status = STATUS,
    frame: FlowFrame | None = None,
    **view: object,
) -> Terminal:
    chosen = View(**({"by": ("flow",), "sort": "total"} | view))  # type: ignore[arg-type]
    terminal = Terminal(size.columns, size.rows)
    lines = (frame or FlowFrame()).lines(flows, chosen, status, size)
    assert len(lines) == size.rows
    terminal.feed(Painter(colour=True).difference((), lines, size.columns))
    return terminal


def test_a_flow_is_a_line() -> None:
    counts = FlowCounts(1_500_000, 250, 3, 1, connections=5, closed=4, retransmits=2)
    row = client(
        recent=counts, totals=counts, container=CONTAINER, rtt_us=85, age_s=75, history=(1.0,) * 60
    )
    lines = shown(report(row)).lines
    identity = ["PID", "COMM", "CONTAINER", "ROLE", "LOCAL", "PEER"]
    figures = ["TX/s", "RX/s", "CALLS/s", "TX", "RX", "OPEN/CLOSED", "RETRANS", "RTT", "AGE"]
    assert lines[1].split() == [*identity, *figures, "LAST", "MINUTE▼"]
    cells = "100 curl 0123456789ab client 10.0.0.1 10.0.0.9:80 1.50 MB 250 B 4 1.50 MB 250 B 5/4 2"
    assert lines[2].split()[:-1] == [*cells.split(), "85us", "1m"]
    assert set(lines[2].split()[-1]) == {"█"}


def test_totals_stand_below_the_rows_and_the_backend_below_all() -> None:
    lines = shown(report(client(tx=1000, rx=5), server(tx=500, rx=5), hidden=7)).lines
    assert lines[4].split()[:3] == ["total", "1.50", "kB"]
    assert lines[-2] == "fake  2 shown, 7 hidden  lost 0  overflowed 0"
    assert lines[-1] == KEYS


def test_the_header_says_what_is_shown() -> None:
    text = shown(report(client()), by=("peer", "port"), sort="tx", reverse=True).lines[0]
    assert text.startswith("ebprof traffic (fake) by peer, port, sort tx reversed --to :80")
    assert text.endswith("0:01:01")
    assert shown(report(client()), frozen=True).lines[0].endswith("FROZEN  0:01:01")


@pytest.mark.parametrize("by", PIVOTS)
def test_what_rows_are_put_together_by_is_there_at_any_width(by: str) -> None:
    needed = {one.column.heading for one in columns_by((by,)) if one.column.rank == 0}
    assert needed
    for columns in (60, 80, 120, 300):
        heading = shown(report(client()), Size(columns, 12), by=(by,)).lines[1]
        assert needed <= set(heading.replace("▼", "").split())


@pytest.mark.parametrize("columns", [60, 61, 75, 100, 140, 199, 400])
@pytest.mark.parametrize("by", PIVOTS)
def test_rates_are_there_at_any_width(columns: int, by: str) -> None:
    row = client(container=CONTAINER, cgroup="/a/b", local_address="fe80::" + "1234:" * 5 + "1")
    heading = shown(report(row), Size(columns, 12), by=(by,)).lines[1]
    assert "TX/s" in heading or by == "cgroup"
    assert len(heading) <= columns


@given(st.integers(1, 70), st.integers(1, 14), st.text(max_size=40), st.booleans())
def test_any_size_is_filled_and_no_more(columns: int, rows: int, name: str, help: bool) -> None:
    flows = report(client(comm=name, peer_name=name or None), server(), other())
    lines = FlowFrame().lines(
        flows, View(("flow",), "total", help=help), STATUS, Size(columns, rows)
    )
    assert len(lines) >= min(rows, 3)
    for one in lines:
        assert sum(span.width for span in one) <= columns
        assert all(span.text.isprintable() for span in one)


def test_every_order_that_has_a_column_marks_it() -> None:
    for sort in SORTS:
        counts = failing(refused=1)._replace(turns=1, latency_ns=5)
        row = client(recent=counts, totals=counts, rtt_us=5.0)
        busy = server(totals=FlowCounts(retransmits=1))
        assert "▼" in shown(report(row, busy), sort=sort).lines[1], sort
    assert "▲" in shown(report(client()), reverse=True).lines[1]


def test_columns_without_content_are_left_out_until_there_is_some() -> None:
    frame = FlowFrame()
    assert "FAILED" not in shown(report(client()), frame=frame).lines[1]
    failed = client(totals=failing(refused=3))
    terminal = shown(report(failed), frame=frame)
    assert "refused:3" in terminal.lines[2]
    assert "FAILED" in shown(report(client()), frame=frame).lines[1]


def test_columns_do_not_get_narrower_from_frame_to_frame() -> None:
    frame = FlowFrame()
    long = shown(report(client(comm="a" * 15)), frame=frame).lines[1]
    assert shown(report(client(comm="a")), frame=frame).lines[1].index("ROLE") == long.index("ROLE")


def test_other_stands_last_even_where_there_is_no_room() -> None:
    rows = [client(pid=number) for number in range(1, 20)]
    lines = shown(report(*rows, other())).lines
    assert lines[WIDE.rows - 4].split()[0] == "~other"
    assert "7 shown, 13 hidden" in lines[-2]


def test_what_differs_is_a_star() -> None:
    row = FlowRow(peer_address="10.0.0.9", flows=2)
    cells = shown(report(row), by=("peer",)).lines[2].split()
    assert cells[:5] == ["10.0.0.9", "*", "*", "*", "*"]


def test_no_known_process_is_a_dash() -> None:
    assert shown(report(client(pid=0, comm="-"))).lines[2].split()[:2] == ["-", "-"]


def test_losses_are_red_and_idle_flows_dim() -> None:
    terminal = shown(report(client(recent=FlowCounts())), status=Status("fake", "", 3, 4))
    place = terminal.lines[-2].index("lost 3")
    assert terminal.cells[-2][place] == ("l", RED)
    assert "overflowed 4" in terminal.lines[-2]
    assert {style for char, style in terminal.cells[2] if char.strip()} == {DIM}


def test_the_filter_is_shown_while_it_is_typed_and_after() -> None:
    assert shown(report(), text="red", typing=True).lines[-1].startswith("filter: red_ ")
    assert shown(report(), text="red").lines[-1].startswith("filter: red  (/ changes it)")


def test_help_fits_a_narrow_terminal() -> None:
    lines = shown(report(client()), Size(60, 30), help=True).lines
    assert lines[2 : 2 + len(HELP)] == [text.rstrip() for text in HELP]


def test_hostile_names_do_no_harm() -> None:
    row = client(comm="\x1b[2J\n日本語日本語", peer_name="\u202ex" * 100, container="\r" * 64)
    assert "total" in shown(report(row), NARROW).lines[3]


def test_that_there_are_no_latencies_is_said() -> None:
    lines = shown(report(client()), status=replace(STATUS, counts_turns=False)).lines
    assert lines[-2].endswith("no latencies: no calls are seen")


def headings(size: Size, by: str, sort: str) -> list[str]:
    counts = FlowCounts(tx_bytes=1, turns=2, latency_ns=3_000_000, latency_max_ns=2_000_000)
    rows = (client(recent=counts, totals=counts, peer_comm="nginx", change=2.0), server())
    return shown(report(*rows), size, by=(by,), sort=sort).lines[1].replace("▼", "").split()


@pytest.mark.parametrize("by", ["flow", "process", "peer"])
@pytest.mark.parametrize("sort", ["total", "latency"])
def test_what_is_never_left_out(by: str, sort: str) -> None:
    """The role; from 80 columns on the server's port; what is sorted by, and what has changed."""
    for columns in range(60, 240):
        found = headings(Size(columns, 12), by, sort)
        assert {"ROLE", "CHANGE"} <= set(found), columns
        assert columns < 65 or "TX/s" in found, columns
        assert columns < 80 or {"PORT", "LOCAL"} & set(found), columns
        assert not {"PORT", "LOCAL"} <= set(found), columns
        assert sort != "latency" or "LATENCY" in found, columns


def test_the_longest_turn_is_since_the_start_and_the_mean_of_the_interval() -> None:
    recent = FlowCounts(turns=2, latency_ns=3_000_000, latency_max_ns=2_000_000)
    totals = FlowCounts(turns=3, latency_ns=903_000_000, latency_max_ns=900_000_000)
    lines = shown(report(client(recent=recent, totals=totals))).lines
    assert " 1.50ms  900ms " in lines[2]
    lines = shown(report(client(recent=FlowCounts(), totals=totals))).lines
    assert " 301ms  900ms " in lines[2]
    assert "ms" not in lines[3]  # the totals of clients and servers
