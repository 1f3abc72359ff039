"""Addresses as people write them, and what they select."""

from __future__ import annotations

import numpy as np
import pytest

from ebprof._native import lib
from ebprof.errors import UsageError
from ebprof.traffic.endpoint import Endpoint, parse_endpoint, parse_port
from tests.unit.traffic.batches import key, packed


def selects(endpoint: Endpoint, address: str, port: int) -> bool:
    flow = key(peer=address, peer_port=port)
    found = endpoint.matches(flow["family"], flow["peer_address"], flow["peer_port"])
    assert found.shape == (1,)
    return bool(found[0])


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("10.0.0.1:6379", ("10.0.0.1", 6379), ("10.0.0.1", 6380)),
        ("10.0.0.1:6379", ("10.0.0.1", 6379), ("10.0.0.2", 6379)),
        (":6379", ("fe80::1", 6379), ("fe80::1", 637)),
        ("10.0.0.1", ("10.0.0.1", 1), ("10.0.0.129", 1)),
        ("10.0.0.0/8", ("10.255.3.4", 1), ("11.0.0.0", 1)),
        ("10.9.9.9/8", ("10.255.3.4", 1), ("11.0.0.0", 1)),
        ("10.0.0.128/25:80", ("10.0.0.200", 80), ("10.0.0.127", 80)),
        ("0.0.0.0/0", ("1.2.3.4", 1), ("::1", 1)),
        ("[::1]:80", ("::1", 80), ("::1", 81)),
        ("[fd00::/8]:80", ("fdff::1", 80), ("fe00::1", 80)),
        ("fe80::1", ("fe80::1", 9), ("fe80::2", 9)),
        ("[::1]", ("::1", 9), ("::2", 9)),
        ("::/0", ("fe80::1", 9), ("1.2.3.4", 9)),
        ("2001:db8::/33", ("2001:db8:7fff::1", 9), ("2001:db8:8000::1", 9)),
        ("::ffff:10.0.0.1", ("10.0.0.1", 9), ("10.0.0.2", 9)),
        ("::ffff:10.0.0.0/104", ("10.1.1.1", 9), ("11.0.0.1", 9)),
        ("::", ("::", 9), ("::1", 9)),
    ],
)
def test_forms(text: str, inside: tuple[str, int], outside: tuple[str, int]) -> None:
    endpoint = parse_endpoint(text)
    assert selects(endpoint, *inside)
    assert not selects(endpoint, *outside)


def test_same_bytes_in_another_family_are_another_address() -> None:
    assert packed("1.2.3.4") == packed("102:304::")
    assert not selects(parse_endpoint("1.2.3.4"), "102:304::", 1)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "/8", "/8:80", "6379", "localhost", "10.0.0", "10.0.0.256", "10.0.0.1/33"),
        *("10.0.0.1:", "::1/129", "[::1", "[::1]:", "[10.0.0.1]80", "fe80::1%eth0"),
        *(
            "10.0.0.1:80:90",
            ":::",
            "10.0.0.1/-1",
            " 10.0.0.1",
            "10.0.0.1\n",
            "\N{ARABIC-INDIC DIGIT ONE}",
        ),
    ],
)
def test_what_cannot_be_read_is_answered_with_the_accepted_forms(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read address") as raised:
        parse_endpoint(text)
    assert repr(text) in raised.value.message
    assert "10.0.0.1:6379" in raised.value.hint and "[::1]:80" in raised.value.hint


@pytest.mark.parametrize(
    "text", ["0", "65536", "99999999999999999999", "-1", "+1", "http", "", "1 "]
)
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(UsageError, match=r"cannot read port .*"):
        parse_port(text)


def test_bad_port_of_an_address_is_named_as_a_port() -> None:
    with pytest.raises(UsageError, match="cannot read port '70000'"):
        parse_endpoint("10.0.0.1:70000")
    assert parse_port("65535") == 65535


def test_nothing_is_everything() -> None:
    flows = np.concatenate([key(peer="1.2.3.4"), key(peer="::1")])
    found = Endpoint().matches(flows["family"], flows["peer_address"], flows["peer_port"])
    assert found.tolist() == [True, True]
    assert flows["family"].tolist() == [lib.FAMILY_IPV4, lib.FAMILY_IPV6]
