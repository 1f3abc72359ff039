from __future__ import annotations

import pytest

from ebprof.model import FlowRow
from ebprof.traffic.reports import units
from tests.flows import client, failing, server


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (0.5, "0.50 B"),
        (999, "999 B"),
        (999.6, "1.00 kB"),
        (1000, "1 kB"),
        (1234, "1.23 kB"),
        (9996, "10.0 kB"),
        (12_345, "12.3 kB"),
        (123_456, "123 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (5 * 10**9, "5 GB"),
        (2**64, "18.4 EB"),
        (10**21, "1000 EB"),
    ],
)
def test_amounts_have_three_digits(value: float, text: str) -> None:
    assert units.amount(value) == text


def test_no_amount_of_64_bits_is_wider_than_its_column() -> None:
    values = (
        base * 10**power + more for power in range(18) for base in (1, 9, 99) for more in (0, 5)
    )
    assert max(len(units.amount(value)) for value in values) <= 7


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (86400, "1d"),
        (8.64e7, "1000d"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0us"),
        (85.4, "85us"),
        (999.6, "1.00ms"),
        (12_345, "12.3ms"),
        (999_600, "1.00s"),
        (6e7, "60s"),
    ],
)
def test_round_trips(value: float, text: str) -> None:
    assert units.microseconds(value) == text


@pytest.mark.parametrize(
    ("address", "port", "text"),
    [
        ("10.0.0.1", 80, "10.0.0.1:80"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("::1", 80, "[::1]:80"),
        ("::1", None, "::1"),
        (None, 80, "*:80"),
        (None, None, "*"),
    ],
)
def test_endpoints(address: str | None, port: int | None, text: str) -> None:
    assert units.endpoint(address, port) == text


def test_ends_of_a_flow() -> None:
    assert (units.local(client()), units.peer(client())) == ("10.0.0.1", "10.0.0.9:80")
    assert (units.local(server()), units.peer(server())) == ("10.0.0.9:80", "10.0.0.1")
    assert units.peer(client(peer_name="db.example")) == "db.example:80"


def test_processes_at_other_ends() -> None:
    found = (client(), client(peer_comm="nginx"), client(has_peers=True))
    assert [units.peer_process(row) for row in found] == ["", "nginx", "*"]


def test_reasons_of_failures() -> None:
    assert units.failures(failing(refused=2, timeout=1)) == "refused:2,timeout:1"
    assert units.failures(failing()) == ""


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.0001, "0.1"),
        (0.94, "0.9"),
        (0.96, "1.0"),
        (2.44, "2.4"),
        (9.96, "10"),
        (999.4, "999"),
        (1000.0, "1k"),
        (1e9, "99k"),
    ],
)
def test_times(ratio: float, text: str) -> None:
    assert units.times(ratio) == text
    assert len(text) <= 3


def test_a_container_is_called_as_people_do() -> None:
    whole = "3f4e" * 16
    assert units.container(FlowRow(container=whole, container_name="web")) == "web"
    assert units.container(FlowRow(container=whole)) == whole[:12]
    assert units.container(FlowRow()) == ""
