"""Pushes of flows to the collector: what is taken can be stored and, once stored, read again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from ebprof.collector.limits import Limits
from ebprof.collector.receive import records
from ebprof.collector.receive.flows import read_flows
from ebprof.collector.receive.refusals import RefusedError
from ebprof.collector.receive.unpack import unpack
from ebprof.collector.store import flow_tables
from ebprof.wire.flows import COUNTS, decode, encode
from tests import pushes
from tests.flow_windows import Process, flow, window

NOW = 1_700_000_000_000_000_000
LIMITS = Limits(plain_bytes=1 << 20)


def read(data: bytes) -> None:
    """The first byte says how the rest is packed."""
    encoding = "gzip" if data[:1] == b"g" else "identity"
    with suppress(RefusedError):
        push = read_flows(unpack(data[1:], encoding, LIMITS.plain_bytes), NOW, LIMITS)
        (record,) = records.split(records.frame(records.of_flows(NOW, push.message)))
        store(record.message().flows)


def store(message: Any) -> None:
    """Make rows of what was accepted, none of which may be wrong for the database."""
    sent = decode(message)
    rows = flow_tables.flows([sent])
    assert len(rows) == len(sent.flows)
    hours = flow_tables.rolled_up(rows)
    for name in COUNTS:
        total = int(sent.flows[name].sum())
        assert sum(rows[name].to_pylist()) == sum(hours[name].to_pylist()) == total
    for address, family in zip(rows["peer"].to_pylist(), rows["family"].to_pylist(), strict=True):
        assert (address == "") == (family == 0)
        if family:
            socket.inet_pton(socket.AF_INET6 if family == 6 else socket.AF_INET, address)
    assert not np.any(sent.processes["service"] >= len(sent.strings))


def seeds() -> Iterator[bytes]:
    """Packed and not, with and without rows."""
    redis, cli = Process("redis-server", 7, "redis"), Process("redis-cli", 8, container="c" * 64)
    pair = flow(cli, tx=1 << 40, peer=redis), flow(redis, "server", address="::1", reset=3)
    plain = encode(window(*pair, flow(None), at_ns=NOW, id="a", losses={"x": 1}))
    yield b"p" + plain.SerializeToString()
    yield b"p" + encode(window(at_ns=NOW, id="b")).SerializeToString()
    yield b"g" + pushes.bomb(1000)
