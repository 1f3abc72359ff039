"""Every way to move bytes over TCP: what the processes moved is what ebprof counts, to the byte."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import pytest

from tests.live.traffic.recorded import Flow, Recorded, recording
from tests.live.traffic.transfers import End, Transfer, UnsupportedError, Way, transfer

ADDRESSES = {"IPv4": "127.0.0.1", "IPv6": "::1", "mapped": "::ffff:127.0.0.1"}
ROLES = ("client", "server")

ONE_CALL_SENDERS = (
    "send",
    "more",
    "write",
    "writev",
    "sendmsg",
    "sendmmsg",
    "nonblocking",
    "zerocopy",
    "slow",
    "threads",
    "uring",
    "uring_fixed",
    "uring_worker",
    "uring_write",
)
SENDERS = (*ONE_CALL_SENDERS, "sendfile", "splice", "fault", "fastopen", "uring_zerocopy")
ONE_CALL_RECEIVERS = (
    "recv",
    "read",
    "readv",
    "recvmsg",
    "recvmmsg",
    "peek",
    "waitall",
    "nonblocking",
    "truncate",
    "uring",
    "uring_fixed",
    "uring_worker",
    "uring_read",
)
RECEIVERS = (*ONE_CALL_RECEIVERS, "splice", "interrupted")
SIZES = ((0, 100), (1, 100), (70_000, 7), (1_234_567, 65_536), (30_000_001, 1_000_000))

# More than socket buffers hold, and how many bytes a call.
FILLING = (24_000_001, 1_000_000)
SLOW = Way("send", "slow", 0, 16_384)

# More than the kernel's 32-bit sequence numbers hold.
WRAPPING_BYTES = 5_000_000_001


@dataclass(frozen=True, slots=True)
class Case:
    """One connection; `is_counted`: that each call of both ends is one of the kernel's."""

    name: str
    client: Way
    server: Way
    is_counted: bool = False


def _send_cases() -> list[Case]:
    return [
        Case(
            f"send-{name}",
            Way(name, "recv", 1_234_567, 40_099),
            Way(name, "recv", 765_431, 40_099),
            name in ONE_CALL_SENDERS,
        )
        for name in SENDERS
    ]


def _receive_cases() -> list[Case]:
    """Bytes come in pieces; a call asks for more than a piece at one end, for less at the other."""
    return [
        Case(
            f"receive-{name}",
            Way("slow", name, 123_457, 4_099),
            Way("slow", name, 76_543, 10_007),
            name in ONE_CALL_RECEIVERS,
        )
        for name in RECEIVERS
    ]


def _size_cases() -> list[Case]:
    return [
        Case(
            f"size-{size}",
            Way("send", "recv", size, chunk),
            Way("send", "recv", size // 2, chunk),
            True,
        )
        for size, chunk in SIZES
    ]


CASES = (
    *_send_cases(),
    *_receive_cases(),
    *_size_cases(),
    Case("mapped", Way("sendfile", "mapped", 2_345_677, 65_536), Way("sendfile", "mapped", 65_535)),
    Case("full-nonblocking", Way("nonblocking", "recv", *FILLING), SLOW),
    Case("full-interrupted", Way("interrupted", "recv", *FILLING), SLOW),
    Case(
        "duplex",
        Way("duplex", "recv", 20_000_003, 30_011),
        Way("duplex", "recv", 10_000_007, 20_011),
        True,
    ),
)
RUNS = tuple(product(CASES, ADDRESSES))
COUNTED = tuple(run for run in RUNS if run[0].is_counted)


@dataclass(frozen=True, slots=True)
class Matrix:
    """All transfers, beside one run of ebprof; a string in place of one says why it is missing."""

    transfers: dict[tuple[str, str], Transfer | str]
    recorded: Recorded

    def ends(self, case: Case, family: str, role: str) -> tuple[End, Flow]:
        """What a process did, and what ebprof says; skips what this kernel does not have."""
        done = self.transfers[case.name, family]
        if isinstance(done, str):
            pytest.skip(done)
        end = done.client if role == "client" else done.server
        return end, self.recorded.one(pid=end.pid)


@pytest.fixture(scope="module")
def matrix(backend: str) -> Matrix:
    with recording(backend) as running:
        transfers = {(case.name, family): _run(case, family) for case, family in RUNS}
        return Matrix(transfers, running.stop())


def _run(case: Case, family: str) -> Transfer | str:
    try:
        return transfer(ADDRESSES[family], case.client, case.server)
    except UnsupportedError as error:
        return str(error)


def _name(value: object) -> str:
    return value.name if isinstance(value, Case) else str(value)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("case", "family"), RUNS, ids=_name)
def test_bytes(matrix: Matrix, case: Case, family: str, role: str) -> None:
    end, flow = matrix.ends(case, family, role)
    assert (flow.tx_bytes, flow.rx_bytes) == (end.sent, end.received)
    assert (flow.connections, flow.closed, flow.failed_connects) == (1, 1, 0)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("case", "family"), COUNTED, ids=_name)
def test_calls(matrix: Matrix, case: Case, family: str, role: str) -> None:
    end, flow = matrix.ends(case, family, role)
    backend = matrix.recorded.stats["backend"]
    if case.name == "receive-waitall" and backend in ("fentry", "kprobe"):
        assert flow.rx_calls >= end.received_calls  # its hook sees each wait
    else:
        assert flow.rx_calls == end.received_calls
    if case.name == "send-threads" and backend == "kprobe":
        assert 0 < flow.tx_calls <= end.sent_calls  # those at one time are seen as one
    else:
        assert flow.tx_calls == end.sent_calls


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("family", ADDRESSES)
def test_who_it_is(matrix: Matrix, family: str, role: str) -> None:
    case = CASES[0]
    done = matrix.transfers[case.name, family]
    assert isinstance(done, Transfer)
    _, flow = matrix.ends(case, family, role)
    port = (None, done.port) if role == "client" else (done.port, None)
    address = ADDRESSES[family].removeprefix("::ffff:")
    assert (flow.comm, flow.role) == ("transfer", role)
    assert flow.family == (6 if family == "IPv6" else 4)
    assert (flow.local_address, flow.peer_address) == (address, address)
    assert (flow.local_port, flow.peer_port) == port


@pytest.mark.parametrize("name", ["full-nonblocking", "full-interrupted"])
def test_the_kernel_took_parts_of_what_it_was_offered(matrix: Matrix, name: str) -> None:
    done = matrix.transfers[name, "IPv4"]
    assert isinstance(done, Transfer)
    size, chunk = FILLING
    assert done.client.sent_calls > size // chunk + 1


def test_nothing_is_lost(matrix: Matrix) -> None:
    assert matrix.recorded.losses == {}


def test_totals_are_the_sum_of_the_flows(matrix: Matrix) -> None:
    totals = matrix.recorded.stats["totals"]
    flows = matrix.recorded.flows
    assert totals["tx_bytes"] == sum(flow.tx_bytes for flow in flows)
    assert totals["rx_bytes"] == sum(flow.rx_bytes for flow in flows)


def test_sequence_numbers_wrap_around_while_nobody_looks(backend: str) -> None:
    client = Way("sendfile", "recv", WRAPPING_BYTES, 1_000_000)
    server = Way("send", "splice", 1, 1_000_000)
    with recording(backend) as running:
        with running.paused():
            done = transfer("127.0.0.1", client, server)
        recorded = running.stop()
    for end in (done.client, done.server):
        flow = recorded.one(pid=end.pid)
        assert (flow.tx_bytes, flow.rx_bytes) == (end.sent, end.received)
