"""Bytes by service: bounded, exact, and never falling."""

from __future__ import annotations

import pytest

from ebprof.agent import moved
from ebprof.agent.moved import Moved
from tests.flow_windows import Process, flow, window

REDIS, SHOP = Process("redis-server", 7, "redis"), Process("python3", 8, "shop")


def test_flows_are_added_by_service() -> None:
    found = Moved()
    twin = Process("redis-server", 9, "redis")
    found.add(window(flow(REDIS, "server", tx=3, rx_bytes=1), flow(twin, "server", tx=4)))
    found.add(window(flow(SHOP, tx=5), flow(None, "unknown", tx=7), flow(REDIS, "server", tx=1)))
    assert found.sums() == {
        ("redis", "tx"): 8,
        ("redis", "rx"): 1,
        ("shop", "tx"): 5,
        ("~unknown", "tx"): 7,
    }


def test_what_is_taken_back_is_taken_off_the_next() -> None:
    found = Moved()
    seen = []
    for tx in (10, -4, 1, 5):
        found.add(window(flow(SHOP, tx=tx)))
        seen.append(found.sums()["shop", "tx"])
    assert seen == [10, 10, 10, 12]


def test_services_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moved, "MOST_SERVICES", 2)
    found = Moved()
    found.add(window(*(flow(Process(f"p{n}", n + 1), tx=1 << n) for n in range(5))))
    assert sum(found.sums().values()) == 31
    assert found.sums()["~other", "tx"] == 0b11100
