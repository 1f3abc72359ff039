"""Flows whose addresses are translated on their way: found and shown by either end's."""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import Any

import numpy as np
import pytest

from ebprof.model import FlowRow
from ebprof.procfs import conntrack, networks
from ebprof.procfs.conntrack import Dump
from ebprof.procfs.networks import Network
from ebprof.traffic import translations
from ebprof.traffic.endpoint import parse_endpoint
from ebprof.traffic.filter import FlowFilter
from ebprof.traffic.monitor import Monitor
from ebprof.traffic.reports import units
from ebprof.traffic.translations import Translations
from ebprof.walls import Walls
from tests.translated import Connection, dump
from tests.unit.traffic.batches import SERVER, UNKNOWN, FakeSession, batch, counts, joined, key

FLOW_KEY = key().dtype
# A published port: the client asks 10.1.0.1:80, 10.2.0.2:8080 answers, and sees 10.2.0.1.
WEB = Connection("10.1.0.2:4001", "10.1.0.1:80", "10.2.0.2:8080", "10.2.0.1:4001")
SIX = Connection("fd00::2:4001", "fd00::1:80", "fd01::2:8080")
CALLER = key(1, local="10.1.0.2", peer="10.1.0.1", peer_port=80)
SERVICE = key(2, local="10.2.0.2", local_port=8080, peer="10.2.0.1", role=SERVER)
PASSED = key(3, local="10.2.0.2", local_port=8080, peer="10.2.0.1", peer_port=4001, role=UNKNOWN)
STRANGER = key(4, local="10.1.0.2", peer="10.1.0.1", peer_port=81)
CALLER6 = key(5, local="fd00::2", peer="fd00::1", peer_port=80)
SERVICE6 = key(6, local="fd01::2", local_port=8080, peer="fd00::2", role=SERVER)
NOBODY: Any = None
"""Processes, where no filter asks for them."""
FLOWS = joined([CALLER, SERVICE, PASSED, STRANGER, CALLER6, SERVICE6], FLOW_KEY)


def learned(*connections: Connection, most: int = 1000) -> Translations:
    made = Translations(Walls(), most)
    made.learn(dump(*connections).entries)
    return made


def selected(known: Translations, **options: Any) -> list[int]:
    rows = np.zeros(len(FLOWS), np.int32)
    wanted = FlowFilter(**options).matches(FLOWS, rows, NOBODY, known)
    found: list[int] = FLOWS["process"]["number"][wanted].tolist()
    return found


@pytest.mark.parametrize(
    ("options", "pids"),
    [
        ({"destination": "10.1.0.1:80"}, [1, 2, 3]),
        ({"destination": "10.2.0.2:8080"}, [1, 2, 3]),
        ({"destination": "10.2.0.0/16"}, [1, 2, 3]),
        ({"destination": ":80"}, [1, 2, 3, 5, 6]),
        ({"destination": ":81"}, [4]),
        ({"destination": "10.1.0.1:81"}, [4]),
        ({"destination": "10.1.0.1"}, [1, 2, 3, 4]),
        ({"destination": "10.2.0.1"}, [3]),
        ({"destination": "10.9.9.9:80"}, []),
        ({"source": "10.1.0.2"}, [1, 2, 3, 4]),
        ({"source": "10.2.0.1"}, [1, 2, 3]),
        ({"source": "10.1.0.2", "destination": "10.2.0.2"}, [1, 2, 3]),
        ({"source": "10.2.0.1", "destination": "10.1.0.1"}, [1, 2, 3]),
        ({"source": "10.9.9.9", "destination": "10.1.0.1"}, []),
        ({"destination": "[fd00::1]:80"}, [5, 6]),
        ({"destination": "[fd01::2]:8080"}, [5, 6]),
    ],
    ids=str,
)
def test_either_ends_addresses_select(options: dict[str, str], pids: list[int]) -> None:
    ends = {name: parse_endpoint(text) for name, text in options.items()}
    assert selected(learned(WEB, SIX), **ends) == pids


def test_either_ends_port_selects_with_other_options() -> None:
    known = learned(WEB, SIX)
    assert selected(known, port=80) == [1, 2, 3, 5, 6]
    assert selected(known, port=8080, family=4) == [1, 2, 3]
    assert selected(known, port=80, destination=parse_endpoint("10.2.0.2")) == [1, 2, 3]
    assert selected(known, port=81, destination=parse_endpoint("10.2.0.2")) == []


def test_without_translations_each_end_is_found_by_its_own_addresses() -> None:
    ends = parse_endpoint("10.1.0.1:80")
    assert selected(learned(), destination=ends) == [1]


def shown(known: Translations, flows: Any = FLOWS) -> list[dict[str, str]]:
    ends = known.other_ends(flows)
    return [
        {
            name: ".".join(map(str, one[f"{name}_address"][:4])) + f":{one[f'{name}_port']}"
            for name in ("local", "peer")
        }
        for one in ends
    ]


def test_other_ends_are_seen_from_this_one() -> None:
    caller, service, passed, stranger, *_ = shown(learned(WEB))
    assert caller == {"local": "10.2.0.1:0", "peer": "10.2.0.2:8080"}
    assert service == passed == {"local": "10.1.0.1:80", "peer": "10.1.0.2:0"}
    assert stranger == {"local": "0.0.0.0:0", "peer": "0.0.0.0:0"}


def test_what_several_translations_differ_in_is_not_known() -> None:
    balanced = [
        Connection("10.1.0.2:1", "10.1.0.1:80", f"10.2.0.{last}:8080", "10.2.0.1:1")
        for last in (2, 3, 4)
    ]
    known = learned(*balanced)
    assert len(known) == 3
    caller, service, *_ = shown(known)
    assert caller == {"local": "10.2.0.1:0", "peer": "0.0.0.0:8080"}
    assert service == {"local": "10.1.0.1:80", "peer": "10.1.0.2:0"}
    assert selected(known, destination=parse_endpoint("10.2.0.4")) == [1]


def test_connections_of_one_pair_are_one_and_stay() -> None:
    known = learned(
        *(Connection(f"10.1.0.2:{port}", "10.1.0.1:80", "10.2.0.2:8080") for port in range(1, 50))
    )
    assert len(known) == 1
    known.learn(dump().entries)
    known.learn(dump(WEB).entries)
    assert len(known) == 2


def test_what_finds_no_room_is_counted() -> None:
    several = [
        Connection(f"10.1.0.{last}:1", "10.1.0.1:80", "10.2.0.2:8080") for last in range(2, 12)
    ]
    known = learned(*several[:4], most=5)
    assert (len(known), known.full) == (4, 0)
    known.learn(dump(*several[4:8]).entries)
    assert (len(known), known.full) == (4, 0)
    known.learn(dump(*several).entries)
    assert (len(known), known.full) == (5, 1)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of namespaces in the order they were asked, of three that there are."""
    paths: list[str] = []
    there = [Network(number, f"/net/{number}") for number in (1, 2, 3)]
    monkeypatch.setattr(networks, "find_networks", lambda pids: iter([*there, there[0]]))
    monkeypatch.setattr(networks, "enter", lambda network: paths.append(network.path))
    monkeypatch.setattr(conntrack, "is_tracking", lambda: True)
    monkeypatch.setattr(conntrack, "count_all", lambda: 1)
    monkeypatch.setattr(conntrack, "read_translated", lambda most, until: dump(WEB))
    monkeypatch.setattr(translations, "READING_S", 60.0)  # a busy machine takes longer than usual
    return paths


def test_each_namespace_is_asked_once_by_another_thread(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    monkeypatch.setattr(networks, "enter", lambda _: threads.append(threading.get_ident()))
    known = Translations(Walls())
    known.read([])
    assert len(known) == 1
    assert len(threads) == 3 and threading.get_ident() not in threads


def test_those_that_wait_come_first_and_reading_rests(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(translations, "READING_S", 1.0)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def slow(most: int, until: float) -> Dump:
        now[0] += 0.8
        return dump(WEB)

    monkeypatch.setattr(conntrack, "read_translated", slow)
    known = Translations(Walls())
    known.read([])
    assert (asked, known.late) == (["/net/1", "/net/2"], 1)
    now[0] += 10 * 0.6 - 0.1 - 1.6
    known.read([])
    assert (asked, known.late) == (["/net/1", "/net/2"], 2)
    now[0] += 0.2
    known.read([])
    assert asked[2:] == ["/net/3", "/net/1"]


def test_a_namespace_without_connections_is_not_dumped(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conntrack, "count_all", lambda: 0)
    known = Translations(Walls())
    known.read([])
    assert len(asked) == 3
    assert len(known) == 0


@pytest.mark.parametrize(
    ("number", "says"), [(errno.EPERM, True), (errno.ENOENT, False), (errno.EINVAL, False)]
)
def test_one_namespace_that_cannot_be_read_does_not_harm_the_others(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, number: int, says: bool
) -> None:
    def enter(network: Network) -> None:
        if network.number == 2:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(networks, "enter", enter)
    known = Translations(Walls())
    known.read([])
    assert len(known) == 1
    assert [("/net/2" in one, os.strerror(number) in one) for one in known.warnings] == (
        [(True, True)] if says else []
    )


@pytest.mark.usefixtures("walls_hold")
def test_surprises_end_at_the_wall(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(most: int, until: float) -> Dump:
        raise KeyError("x")

    monkeypatch.setattr(conntrack, "read_translated", surprise)
    walls = Walls()
    known = Translations(walls)
    known.read([])
    assert (walls.failed, len(known)) == (3, 0)


def test_nothing_is_asked_of_a_kernel_that_tracks_nothing(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conntrack, "is_tracking", lambda: False)
    Translations(Walls()).read([])
    assert asked == []


def rows(filter: FlowFilter, *by: str) -> list[FlowRow]:
    flows = [(one, counts(number, 10)) for number, one in enumerate((CALLER, SERVICE, STRANGER), 1)]
    session: Any = FakeSession(batch(*flows))
    made = Monitor(session, "fake", filter)
    made.tick()
    return list(made.rows(by, "tx").rows)


@pytest.mark.parametrize("end", ["10.1.0.1:80", "10.2.0.2:8080"])
def test_a_monitor_shows_both_ends(asked: list[str], end: str) -> None:
    service, caller = rows(FlowFilter(destination=parse_endpoint(end)), "flow")
    assert (caller.local_address, caller.peer_address, caller.peer_port) == (
        "10.1.0.2",
        "10.1.0.1",
        80,
    )
    assert (caller.nat_peer_address, caller.nat_peer_port) == ("10.2.0.2", 8080)
    assert (caller.nat_local_address, caller.nat_local_port) == ("10.2.0.1", None)
    assert (service.nat_local_address, service.nat_local_port) == ("10.1.0.1", 80)
    assert (service.nat_peer_address, service.nat_peer_port) == ("10.1.0.2", None)
    assert units.peer(caller) == "10.1.0.1:80(10.2.0.2:8080)"
    assert units.local(caller) == "10.1.0.2(10.2.0.1)"
    assert units.local(service) == "10.2.0.2:8080(10.1.0.1:80)"


def test_flows_that_differ_in_it_show_none(asked: list[str]) -> None:
    (row,) = rows(FlowFilter(destination=parse_endpoint("10.1.0.1")), "family")
    assert (row.flows, row.nat_peer_address, row.nat_local_address) == (3, None, None)
    assert (row.nat_peer_port, row.nat_local_port) == (None, None)
    by_peer = {one.peer_address: one for one in rows(FlowFilter(port=80), "peer")}
    assert by_peer["10.1.0.1"].nat_peer_address == "10.2.0.2"


def test_nothing_is_asked_without_a_filter_of_addresses_or_ports(asked: list[str]) -> None:
    assert len(rows(FlowFilter(family=4), "flow")) == 3
    assert asked == []
    assert units.peer(FlowRow(peer_address="10.0.0.9")) == "10.0.0.9"
