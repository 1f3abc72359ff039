"""What a push of flows may hold, and what is said of one that holds more."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from ebprof.collector.limits import Limits
from ebprof.collector.receive import refusals
from ebprof.collector.receive.flows import read_flows
from ebprof.wire.flows import FlowWindow, encode
from tests.flow_windows import Process, flow, window

NOW = time.time_ns()
CLI = Process("cli")
LIMITS = Limits(flows=3, processes=3, strings=4, losses=1)


def refusal(found: FlowWindow) -> refusals.RefusedError:
    with pytest.raises(refusals.RefusedError) as caught:
        read_flows(encode(found).SerializeToString(), NOW, LIMITS)
    assert "\n" not in caught.value.message
    return caught.value


def test_a_push_is_taken() -> None:
    body = encode(window(flow(CLI, tx=1), at_ns=NOW, losses={"a": 1})).SerializeToString()
    push = read_flows(body, NOW, LIMITS)
    assert push.window.flows["tx_bytes"].tolist() == [1]
    assert push.message.SerializeToString() == body


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (window(*[flow(CLI)] * 4), "4 flows, which is more than 3"),
        (window(*(flow(Process("a", pid)) for pid in range(3))), "4 processes"),
        (window(flow(Process("a", service="b", container="c"))), "5 strings"),
        (window(flow(CLI), losses={"a": 1, "b": 1}), "2 losses"),
    ],
    ids=["flows", "processes", "strings", "losses"],
)
def test_sizes_are_bounded(found: FlowWindow, text: str) -> None:
    error = refusal(found)
    assert text in error.message
    assert (error.status, error.reason) == (413, "too_large")


@pytest.mark.parametrize(
    ("changes", "reason", "text"),
    [
        ({"id": ""}, "malformed", "its ID is empty"),
        ({"id": "x" * 129}, "malformed", "longer than 128"),
        ({"node": "x" * 2049}, "malformed", "a text is longer than 2048"),
        ({"losses": {"x" * 2049: 1}}, "malformed", "a text is longer than 2048"),
        ({"start_ns": NOW + 700 * 10**9}, "time", "700 s ahead"),
        ({"start_ns": 1}, "time", "which is too old"),
        ({"end_ns": 1}, "time", "s long, which is not 0 to 7200"),
        ({"end_ns": 1 << 63}, "time", "s long, which is not 0 to 7200"),
    ],
    ids=["no-id", "long-id", "node", "loss", "ahead", "old", "backwards", "long"],
)
def test_texts_and_times_are_bounded(changes: dict[str, Any], reason: str, text: str) -> None:
    error = refusal(replace(window(flow(CLI), at_ns=NOW), **changes))
    assert (text in error.message, error.reason) == (True, reason), error.message


@pytest.mark.parametrize("value", [1 << 57, -1 << 57, -1 << 63])
def test_counts_are_bounded(value: int) -> None:
    error = refusal(window(flow(CLI, rx_bytes=value), at_ns=NOW))
    assert "values of flows.rx_bytes are too large" in error.message


def test_what_is_no_window_is_refused() -> None:
    with pytest.raises(refusals.RefusedError, match="not an ebprof"):
        read_flows(b"\xff", NOW, LIMITS)
