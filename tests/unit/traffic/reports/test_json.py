from __future__ import annotations

import json
from typing import Any

import pytest

from ebprof.model import FlowCounts, FlowRow
from ebprof.traffic.reports.json import JsonForm
from tests.builders import HOSTILE
from tests.flows import CONTAINER, client, failing, other, server


def values(row: FlowRow) -> dict[str, Any]:
    line = JsonForm().line(row, row.recent, 1234.56789)
    assert line.endswith("\n") and line.count("\n") == 1
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_every_field() -> None:
    counts = FlowCounts(2**63, 2, 3, 4, 5, 6, 7, 8, (("refused", 8),), 4, 50_000, 20_060)
    row = client(
        recent=counts, container=CONTAINER, pod="uid", unit="a.service", rtt_us=12.34, cgroup="/a"
    )
    row = row._replace(peer_pid=7, peer_comm="redis")
    row = row._replace(
        nat_peer_address="10.2.0.2", nat_peer_port=8080, nat_local_address="10.2.0.1"
    )
    assert values(row) == {
        "time": 1234.568,
        "pid": 100,
        "comm": "curl",
        "role": "client",
        "family": 4,
        "local_address": "10.0.0.1",
        "local_port": None,
        "peer_address": "10.0.0.9",
        "peer_port": 80,
        "port": 80,
        "tx_bytes": 2**63,
        "rx_bytes": 2,
        "tx_calls": 3,
        "rx_calls": 4,
        "connections": 5,
        "closed": 6,
        "failed_connects": 8,
        "connect_errors": {"refused": 8},
        "retransmits": 7,
        "rtt_us": 12.3,
        "turns": 4,
        "latency_mean_us": 12.5,
        "latency_max_us": 20.1,
        "peer_pid": 7,
        "peer_comm": "redis",
        "cgroup": "/a",
        "container": CONTAINER,
        "container_name": None,
        "pod": "uid",
        "unit": "a.service",
        "nat_local_address": "10.2.0.1",
        "nat_local_port": None,
        "nat_peer_address": "10.2.0.2",
        "nat_peer_port": 8080,
    }


@pytest.mark.parametrize("turns", [0, None])
def test_a_latency_is_null_where_there_was_no_turn(turns: int | None) -> None:
    found = values(client(recent=FlowCounts(tx_bytes=1, turns=turns)))
    assert (found["turns"], found["latency_mean_us"], found["latency_max_us"]) == (
        turns,
        None,
        None,
    )


def test_counts_are_those_of_the_interval() -> None:
    assert values(client(tx=7, totals=FlowCounts(tx_bytes=999)))["tx_bytes"] == 7


def test_reasons_of_failures() -> None:
    found = values(client(recent=failing(refused=2, timeout=1)))
    assert found["failed_connects"] == 3
    assert found["connect_errors"] == {"refused": 2, "timeout": 1}


def test_what_differs_is_null() -> None:
    found = values(FlowRow())
    absent = {name for name, value in found.items() if value is None}
    assert absent >= {"pid", "comm", "role", "family", "port", "local_address", "peer_address"}


def test_no_known_process_is_null() -> None:
    found = values(server(pid=0, comm="-"))
    assert (found["pid"], found["comm"]) == (None, None)


def test_other_has_a_name() -> None:
    assert (values(other())["comm"], values(other())["pid"]) == ("~other", None)


def test_a_name_that_was_resolved() -> None:
    assert values(client(peer_name="db.example"))["peer_name"] == "db.example"
    assert "peer_name" not in values(client())


def test_a_hostile_name_stays_within_its_string() -> None:
    assert values(client(comm=HOSTILE))["comm"] == HOSTILE
