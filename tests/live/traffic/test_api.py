"""Every way to move bytes over TCP: what the processes moved is what ebprof counts, to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import pytest

from tests.live.traffic.recorded import Flow, Recorded, recording
from tests.live.traffic.transfers import End, Transfer, UnsupportedError, Way, transfer

ADDRESSES = {"IPv4": "127.0.0.1", "IPv6": "::1", "mapped": "::ffff:127.0.0.1"}

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


@dataclass(frozen=True, slots=True)
class Matrix:
    """All transfers, beside one run of ebprof; a string in place of one says why it is missing."""

    transfers: dict[tuple[str, str], Transfer | str]
    recorded: Recorded

    @property
    def backend(self) -> str:
        """The way in which ebprof saw calls."""
        return str(self.recorded.stats["backend"])

    def missing(self, case: Case) -> set[str]:
        """Why this kernel cannot do it, by any kind of address; empty when it can."""
        ways = [self.transfers[case.name, family] for family in ADDRESSES]
        return {way for way in ways if isinstance(way, str)}

    def done(self, case: Case, family: str) -> Transfer:
        """A transfer that there was."""
        done = self.transfers[case.name, family]
        assert isinstance(done, Transfer), done
        return done


@pytest.fixture(scope="module")
def matrix(backend: str) -> Matrix:
    with recording(backend) as running:
        transfers = {
            (case.name, family): _run(case, family) for case, family in product(CASES, ADDRESSES)
        }
        return Matrix(transfers, running.stop())


def _run(case: Case, family: str) -> Transfer | str:
    try:
        return transfer(ADDRESSES[family], case.client, case.server)
    except UnsupportedError as error:
        return str(error)


def wrong_ends(matrix: Matrix, case: Case) -> Iterator[str]:
    """What ebprof says of either end by each kind of address, and the process says otherwise."""
    for family in ADDRESSES:
        done = matrix.done(case, family)
        for role, end in (("client", done.client), ("server", done.server)):
            wrong = wrong_flows(matrix, case, end)
            yield from (f"{family}, {role}: {difference}" for difference in wrong)


def wrong_flows(matrix: Matrix, case: Case, end: End) -> Iterator[str]:
    """The differences between an end and its flow."""
    flows = matrix.recorded.having(pid=end.pid)
    if len(flows) != 1:
        yield f"{len(flows)} flows: {flows}"
        return
    (flow,) = flows
    expected = {"tx_bytes": end.sent, "rx_bytes": end.received}
    expected |= {"connections": 1, "closed": 1, "failed_connects": 0}
    for name, value in expected.items():
        if getattr(flow, name) != value:
            yield f"{name} is {getattr(flow, name)}, not {value}"
    if case.is_counted:
        yield from wrong_calls(matrix.backend, case, end, flow)


def wrong_calls(backend: str, case: Case, end: End, flow: Flow) -> Iterator[str]:
    """The calls of an end that were not counted, or that were not made."""
    most_received, fewest_sent = end.received_calls, end.sent_calls
    if case.name == "receive-waitall" and backend in ("fentry", "kprobe"):
        most_received = flow.rx_calls  # its hook sees each wait
    if case.name == "send-threads" and backend == "kprobe":
        fewest_sent = 1  # those at one time are seen as one
    if not end.received_calls <= flow.rx_calls <= most_received:
        yield f"rx_calls is {flow.rx_calls}, not {end.received_calls}"
    if not fewest_sent <= flow.tx_calls <= end.sent_calls:
        yield f"tx_calls is {flow.tx_calls}, not {end.sent_calls}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bytes_and_calls(matrix: Matrix, case: Case) -> None:
    missing = matrix.missing(case)
    if missing:
        pytest.skip(", ".join(sorted(missing)))
    assert [*wrong_ends(matrix, case)] == []


@pytest.mark.parametrize("family", ADDRESSES)
def test_who_it_is(matrix: Matrix, family: str) -> None:
    done = matrix.done(CASES[0], family)
    address = ADDRESSES[family].removeprefix("::ffff:")
    ports = {"client": (None, done.port), "server": (done.port, None)}
    for role, end in (("client", done.client), ("server", done.server)):
        flow = matrix.recorded.one(pid=end.pid)
        assert (flow.comm, flow.role) == ("transfer", role)
        assert flow.family == (6 if family == "IPv6" else 4)
        assert (flow.local_address, flow.peer_address) == (address, address)
        assert (flow.local_port, flow.peer_port) == ports[role]


@pytest.mark.parametrize("name", ["full-nonblocking", "full-interrupted"])
def test_the_kernel_took_parts_of_what_it_was_offered(matrix: Matrix, name: str) -> None:
    done = matrix.done(next(case for case in CASES if case.name == name), "IPv4")
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
