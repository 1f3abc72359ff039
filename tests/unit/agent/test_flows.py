"""Flows of windows: every count is in exactly one, and says whose it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import CONNECT_ERRORS, FLOW_COUNTS
from ebprof.agent import flows as module
from ebprof.agent.flows import FlowSums, Span, windows
from ebprof.agent.identities import Owner
from ebprof.wire.flows import COUNTS, ERRORS, FlowWindow, decode, encode
from tests.unit.traffic.batches import SERVER, batch, counts, key

SPAN = Span("n", 10, 20)
_PID_MASK = (1 << lib.PID_BITS) - 1


def owners_of(words: NDArray[np.uint64]) -> list[Owner]:
    """A service for each PID, like `s7`."""
    pids = [word & _PID_MASK for word in words.tolist()]
    return [Owner(pid, f"p{pid}", f"s{pid}", "executable", cgroup="/x") for pid in pids]


def made(sums: FlowSums, losses: dict[str, int] | None = None) -> list[FlowWindow]:
    found = list(windows(sums, owners_of, SPAN, losses or {}))
    return [decode(encode(one)) for one in found]


def sums_of(*batches: object, **how: int) -> FlowSums:
    sums = FlowSums(**how)
    for one in batches:
        sums.add(one)  # type: ignore[arg-type]
    return sums


def service(window: FlowWindow, row: int, name: str = "process") -> str:
    process = window.flows[name][row]
    number = window.processes["service"][process]
    return window.strings[number]


def test_names_of_counts_are_those_of_the_kernel_side() -> None:
    ours = {"connections": "opened"}
    names = [ours.get(name, name) for name in COUNTS if name not in ERRORS]
    pushed = [*names, "failed"]
    assert pushed == list(FLOW_COUNTS.names or ())[: len(pushed)]
    assert list(ERRORS) == [error.name for error in CONNECT_ERRORS]


def test_a_flow_is_added_up_over_drains() -> None:
    mine, theirs = key(7, peer_port=80, peer_pid=8), key(8, role=SERVER, local_port=80, peer_pid=7)
    sums = sums_of(
        batch((mine, counts(tx=5, opened=1)), (theirs, counts(rx=5))),
        batch((mine, counts(tx=7, failed={3: 2})), (key(7, peer="::1"), counts(closed=1))),
        batch((theirs, counts(rx=2**64 - 3))),  # what was too much
    )
    (window,) = made(sums)
    assert (window.node, window.start_ns, window.end_ns) == ("n", 10, 20)
    assert window.flows["tx_bytes"].tolist() == [12, 0, 0]
    assert window.flows["rx_bytes"].tolist() == [0, 2, 0]
    assert window.flows["reset"].tolist() == [2, 0, 0]
    assert window.flows["family"].tolist() == [4, 4, 6]
    assert window.flows["role"].tolist() == [1, 2, 1]
    assert window.flows["port"].tolist() == [80, 80, 0]
    assert [service(window, row) for row in range(3)] == ["s7", "s8", "s7"]
    assert [service(window, row, "peer") for row in range(3)] == ["s8", "s7", ""]
    assert bytes(window.flows["peer_address"][0][:4]) == bytes([10, 0, 0, 2])


def test_a_flow_of_nobody_is_nobodys() -> None:
    (window,) = made(sums_of(batch((key(0, start=0), counts(tx=1)))))
    assert (service(window, 0), window.processes["pid"][window.flows["process"][0]]) == ("", 0)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_what_finds_no_room_is_in_other(most: int) -> None:
    batches = [batch(*((key(pid), counts(tx=pid)) for pid in range(1, 5)), other=counts(tx=100))]
    (window,) = made(sums_of(*batches, *batches, max_rows=most))
    kept = min(most, 4)
    assert len(window.flows) == kept + 1
    assert service(window, kept) == "~other"
    assert window.flows["family"][kept] == 0
    assert window.flows["tx_bytes"].sum() == 2 * (100 + 1 + 2 + 3 + 4)


def test_many_flows_are_in_several_pushes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FLOWS", 2)
    rows = [(key(pid), counts(tx=pid)) for pid in range(1, 6)]
    found = made(sums_of(batch(*rows, other=counts(tx=100))), {"untracked": 3})
    assert [len(one.flows) for one in found] == [3, 2, 1]
    assert sum(one.flows["tx_bytes"].sum() for one in found) == 115
    assert [one.losses for one in found] == [{"untracked": 3}, {}, {}]
    assert len({one.id for one in found}) == 3


@pytest.mark.parametrize(
    ("losses", "count"), [({}, 0), ({"untracked": 1}, 1)], ids=["nothing", "losses"]
)
def test_nothing_is_no_push_but_losses_are(losses: dict[str, int], count: int) -> None:
    assert len(made(sums_of(batch((key(1), counts()))), losses)) == count


def test_texts_that_are_no_utf8_are_replaced() -> None:
    odd: Callable[[NDArray[np.uint64]], list[Owner]] = lambda words: [Owner(1, "a\udc80")]  # noqa: E731
    (window,) = windows(sums_of(batch((key(1), counts(tx=1)))), odd, SPAN, {})
    assert decode(encode(window)).strings[1] == "a?"
