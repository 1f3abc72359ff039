"""What the kernel says of translated connections, and what only looks like it."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator

import pytest

from ebprof.procfs import conntrack
from ebprof.procfs.conntrack import ENTRY, Answer, parse
from tests import needed
from tests.translated import (
    TCP,
    TRANSLATED_DESTINATION,
    TRANSLATED_SOURCE,
    UDP,
    Connection,
    done,
    error,
    framed,
    message,
    packed,
)

WEB = Connection("10.1.0.2:4001", "10.1.0.1:80", "10.2.0.2:8080", "10.2.0.1:4001")
SIX = Connection("fd00::2:4001", "fd00::1:80", "fd01::2:8080")


def row(one: Connection, ip: int) -> bytes:
    """As ENTRY has it."""
    ends = [packed(end) for end in (one.client, one.asked, one.server, one.seen or one.client)]
    halves = []
    for pair in (ends[:2], ends[2:]):
        halves += [address.ljust(16, b"\0") for address, _ in pair] + [port for _, port in pair]
    return b"".join(halves) + bytes([ip])


@pytest.mark.parametrize(("one", "ip"), [(WEB, 4), (SIX, 6)], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("form", [{}, {"zone": True}, {"late_status": True}], ids=str)
def test_both_ends_of_a_connection(one: Connection, ip: int, form: dict[str, bool]) -> None:
    answer = parse(message(one, **form))
    assert answer == Answer([row(one, ip)], one.status, is_last=False)
    assert len(answer.rows[0]) == ENTRY.itemsize


def test_the_known_layout_is_read_as_any_other() -> None:
    for one in (WEB, SIX):
        body = message(one)[16:]
        known = conntrack._known_layout(body)
        assert known is not None
        assert known == conntrack._entry(body[4:])
        assert conntrack._known_layout(message(one, zone=True)[16:]) is None


@pytest.mark.parametrize(
    "one",
    [
        Connection("10.1.0.2:53", "10.1.0.1:53", "10.2.0.2:53", protocol=UDP),
        Connection("fd00::2:53", "fd00::1:53", "fd01::2:53", protocol=UDP),
        Connection("10.1.0.2:4001", "10.1.0.1:80", "10.1.0.1:80", status=0),
    ],
    ids=["UDP", "UDP over IPv6", "not translated"],
)
def test_what_is_no_translated_tcp_is_left_out(one: Connection) -> None:
    assert parse(message(one) + message(WEB)).rows == [row(WEB, 4)]


def test_many_messages_and_the_end() -> None:
    both = TRANSLATED_SOURCE | TRANSLATED_DESTINATION
    other = Connection("10.1.0.3:5000", "10.1.0.1:80", "10.2.0.3:8080", status=both)
    answer = parse(message(WEB) + message(other) + message(SIX) + done() + message(WEB))
    assert answer.rows == [row(WEB, 4), row(other, 4), row(SIX, 6)]
    assert answer.common == WEB.status & both
    assert answer.is_last


@pytest.mark.parametrize("end", [error(errno.EPERM), done(errno.EPERM)], ids=["error", "done"])
def test_an_error_is_raised(end: bytes) -> None:
    with pytest.raises(PermissionError):
        parse(message(WEB) + end)


@pytest.mark.parametrize(
    "data",
    [
        message(WEB)[:-1],
        message(WEB)[:15],
        message(WEB) + b"\1\0\0",
        b"\xff" * 64,
        bytes(16),
        framed(3, b"\0"),
    ],
    ids=["cut", "cut header", "rest", "too long", "too short", "end without code"],
)
def test_impossible_lengths_are_an_error(data: bytes) -> None:
    with pytest.raises(OSError, match=r"[Bb]ad message"):
        parse(data)


def test_attributes_that_reach_beyond_their_message_are_left_out() -> None:
    broken = bytearray(message(WEB))
    broken[20:22] = b"\xff\xff"
    assert parse(bytes(broken) + message(SIX)).rows == [row(SIX, 6)]


def test_garbage_is_an_entry_or_nothing() -> None:
    chance = random.Random(9)
    for one in (WEB, SIX):
        body = message(one)[16:]
        for _ in range(2000):
            broken = bytearray(body)
            for _ in range(chance.randrange(1, 4)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            rows = parse(framed(0x100, bytes(broken[: chance.randrange(len(broken) + 1)]))).rows
            assert all(len(found) == ENTRY.itemsize for found in rows)


def test_a_dump_ends_at_its_bound_or_when_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [
        parse(message(Connection(f"10.1.0.2:{port}", "10.1.0.1:80", "10.2.0.2:80")))
        for port in range(1, 9)
    ]
    monkeypatch.setattr(conntrack, "_dump", lambda status: iter(parts))
    assert len(conntrack.read_translated(8).entries) == 8
    cut = conntrack.read_translated(5)
    assert (len(cut.entries), cut.is_cut) == (6, True)
    late = conntrack.read_translated(8, until=0.0)
    assert (len(late.entries), late.is_cut) == (1, True)


@pytest.mark.parametrize(("is_filtered", "dumps"), [(True, 2), (False, 1)])
def test_the_second_dump_is_spared_where_the_first_had_all(
    monkeypatch: pytest.MonkeyPatch, is_filtered: bool, dumps: int
) -> None:
    masked = Connection("10.1.0.2:1", "1.2.3.4:80", "1.2.3.4:80", "9.9.9.9:1", TCP, 1 << 4)
    asked = []

    def answers(status: int) -> Iterator[Answer]:
        asked.append(status)
        found = [one for one in (WEB, masked) if one.status & status or not is_filtered]
        return iter([parse(b"".join(map(message, found)) + done())])

    monkeypatch.setattr(conntrack, "_dump", answers)
    found = conntrack.read_translated(99)
    assert {one.tobytes() for one in found.entries} == {row(WEB, 4), row(masked, 4)}
    assert len(asked) == dumps


def test_this_kernel_answers() -> None:
    needed.skip_without("conntrack")
    if not conntrack.is_tracking():
        pytest.skip("this kernel tracks no connections")
    assert len(conntrack.read_translated(100).entries) <= 101
