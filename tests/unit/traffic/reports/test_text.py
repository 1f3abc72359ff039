from __future__ import annotations

import time

import pytest

from ebprof.model import FlowRow
from ebprof.traffic.reports.text import TextForm
from tests.builders import HOSTILE
from tests.flows import CONTAINER, client, failing, other, server


def cells(row: FlowRow, *by: str) -> dict[str, str]:
    form = TextForm(by or ("flow",))
    return dict(zip(form.head.split(), form.line(row, row.recent, 0.0).split(), strict=True))


def test_a_row_is_a_line_of_whole_numbers() -> None:
    shown = cells(client(tx=1_234_567, rx=89, container=CONTAINER, rtt_us=85.4))
    assert shown == {
        "TIME": time.strftime("%H:%M:%S", time.localtime(0)),
        "PID": "100",
        "COMM": "curl",
        "ROLE": "client",
        "PORT": "80",
        "LOCAL": "10.0.0.1",
        "PEER": "10.0.0.9:80",
        "CONTAINER": CONTAINER[:12],
        "TX_BYTES": "1234567",
        "RX_BYTES": "89",
        "TX_CALLS": "1",
        "RX_CALLS": "2",
        "OPENED": "0",
        "CLOSED": "0",
        "RETRANS": "0",
        "RTT_US": "85",
        "TURNS": "0",
        "LAT_US": "-",
        "LAT_MAX_US": "-",
        "FAILED": "-",
        "PEER_COMM": "-",
    }


def test_columns_are_aligned() -> None:
    form = TextForm(("flow",))
    lines = [form.head, *(form.line(row, row.recent, 0.0) for row in (client(), server()))]
    for heading in ("COMM", "ROLE", "LOCAL", "PEER"):
        start = form.head.index(heading)
        assert all(one[start - 1] == " " and one[start] != " " for one in lines)


@pytest.mark.parametrize("comm", ["Web Content", "a\tb", HOSTILE, "日本"])
def test_a_name_is_one_word_whatever_it_holds(comm: str) -> None:
    assert cells(client(comm=comm))["PEER"] == "10.0.0.9:80"


def test_a_name_without_the_odd_character() -> None:
    assert cells(client(comm="Web Content"))["COMM"] == "Web_Content"


def test_what_differs_and_what_does_not_exist_is_a_dash() -> None:
    shown = cells(FlowRow(), "peer")
    assert {shown[name] for name in ("PID", "COMM", "ROLE", "PORT", "CONTAINER", "RTT_US")} == {"-"}
    assert (shown["LOCAL"], shown["PEER"]) == ("*", "*")


def test_other() -> None:
    shown = cells(other(tx=7))
    assert (shown["COMM"], shown["PID"], shown["TX_BYTES"]) == ("~other", "-", "7")


def test_what_rows_are_put_together_by_has_a_column() -> None:
    row = client(cgroup="/system.slice/x.service")
    assert cells(row, "cgroup", "family")["CGROUP"] == "/system.slice/x.service"
    assert cells(row, "cgroup", "family")["FAMILY"] == "4"
    assert "CGROUP" not in cells(row)


def test_reasons_of_failures() -> None:
    assert cells(client(recent=failing(refused=3, timeout=1)))["FAILED"] == "refused:3,timeout:1"
