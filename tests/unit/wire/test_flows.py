"""Windows of flows become messages and come back; what is no window is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ebprof.wire.flows import FLOW, PROCESS, FlowRequest, decode, encode, parse
from tests.flow_windows import Process, flow, window

REDIS, CLI = Process("redis-server", 7, "redis"), Process("redis-cli", 8)


def message() -> Any:
    """Of two flows of two processes."""
    pair = (flow(CLI, tx=10, peer=REDIS), flow(REDIS, "server", tx=20, peer=CLI, address="::1"))
    return encode(window(*pair, losses={"untracked": 3}))


def test_a_window_comes_back_as_it_was() -> None:
    sent = window(flow(CLI, tx=-10, peer=REDIS), flow(None, "unknown", rtt_sum=1 << 40))
    got = decode(parse(encode(sent).SerializeToString()))
    for name in ("id", "node", "start_ns", "end_ns", "strings", "losses"):
        assert getattr(got, name) == getattr(sent, name)
    assert got.flows.dtype == FLOW and np.array_equal(got.flows, sent.flows)
    assert got.processes.dtype == PROCESS and np.array_equal(got.processes, sent.processes)


def test_columns_are_those_of_the_proto_file() -> None:
    pool = FlowRequest.DESCRIPTOR.file.pool
    for name, dtype in (("Processes", PROCESS), ("Flows", FLOW)):
        fields = pool.FindMessageTypeByName(f"ebprof.v1.{name}").fields
        assert tuple(one.name for one in fields) == dtype.names


def put(table: str, name: str, dtype: str, *values: int) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        setattr(getattr(message, table), name, np.array(values, dtype).tobytes())

    return change


def set_strings(*strings: str) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        message.strings[:] = strings

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            put("flows", "tx_bytes", "<i8", 1),
            "flows.tx_bytes has 8 bytes, not 8 for each of 2 rows",
        ),
        (put("flows", "port", "u1", 1, 2, 3), "flows.port has 3 bytes, not 2 for each of 2 rows"),
        (put("flows", "process", "<u4"), "flows.peer has 8 bytes, not 4 for each of 0 rows"),
        (put("flows", "process", "<u4", 0, 3), "flows.process has the index 3, and there are 3"),
        (put("flows", "peer", "<u4", 2**32 - 1, 0), "flows.peer has the index 4,294,967,295"),
        (put("flows", "role", "u1", 0, 3), "flows.role has the index 3"),
        (put("flows", "family", "u1", 4, 10), "flows.family has another value"),
        (put("processes", "unit", "<u4", 0, 0, 99), "processes.unit has the index 99"),
        (lambda message: message.processes.Clear(), "there are no processes"),
        (set_strings(), "the first string is not empty"),
        (set_strings("a", ""), "the first string is not empty"),
        (set_strings(""), "has the index 3, and there are 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_window_is_refused(change: Callable[[Any], None], text: str) -> None:
    bad = message()
    change(bad)
    with pytest.raises(ValueError, match=text):
        decode(bad)


def test_bytes_that_are_no_message_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not an ebprof\.v1\.PushRequest"):
        parse(b"\xff")
