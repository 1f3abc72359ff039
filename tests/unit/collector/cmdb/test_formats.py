"""TOML, CSV and JSON say the same; what is wrong is said with its place."""

from __future__ import annotations

import ipaddress
import json

import pytest

from ebprof.collector.cmdb.entries import MOST_ENTRIES, Entry
from ebprof.collector.cmdb.formats import MOST_BYTES, parse
from ebprof.errors import BadFileError

ENTRIES = (
    Entry(
        (("team", "search"), ("service_name", "index")),
        network=ipaddress.ip_network("10.1.0.0/16"),
        port=9200,
    ),
    Entry((("zone", "a, west"),), node="web-*", labels=(("job", "night"),)),
)
TOML = """
[[entry]]
address = "10.1.0.0/16"
port = 9200
set = { team = "search", service_name = "index" }

[[entry]]
node = "web-*"
label = { job = "night" }
set.zone = "a, west"
"""
CSV = """\ufeffaddress, port, node, label:job, team, service_name, zone
10.1.0.0/16,9200,,,search,index,

,,web-*,night,,,"a, west"
"""
JSON = json.dumps(
    [
        {
            "address": "10.1.0.0/16",
            "port": "9200",
            "set": {"team": "search", "service_name": "index"},
        },
        {"node": "web-*", "label": {"job": "night"}, "set": {"zone": "a, west", "team": ""}},
    ]
)


@pytest.mark.parametrize(("suffix", "text"), [(".toml", TOML), (".csv", CSV), (".json", JSON)])
def test_all_forms_say_the_same(suffix: str, text: str) -> None:
    assert parse(text.encode(), suffix, "x") == ENTRIES


@pytest.mark.parametrize(
    ("suffix", "text", "problem"),
    [
        (".toml", "[[entry]]\nnode = 'a'", "cannot read x, entry 1: it sets no label"),
        (".toml", "[[entry]]\nset.a = 'b'", "cannot read x, entry 1: it has no condition"),
        (".toml", "[[rule]]\nset.a = 'b'", "cannot read x: unknown 'rule'"),
        (".toml", "entry = 3", "cannot read x: it is no list of entries"),
        (".toml", "[[entry]]\nnode = 3\nset.a = 'b'", "entry 1: node is no text"),
        (".toml", "[[entry]]\nhost = 'a'\nset.a = 'b'", "entry 1: unknown 'host'"),
        (".toml", "a = ", "cannot read x: Invalid value (at end of document)"),
        (".csv", "node,team\na,b\n\nc,d,e\n", "cannot read x:4: there are more columns"),
        (".csv", "address,team\n10.0.0.1/8,b\n", "x:2: address '10.0.0.1/8': 10.0.0.1/8 has host"),
        (".csv", "port,team\n0,b\n", "x:2: port is '0', and no number from 1 to 65535"),
        (".csv", "port,team\n65536,b\n", "x:2: port is '65536'"),
        (".csv", "port,team\n65535" + "0" * 10 + ",b\n", "x:2: port is '655350000000000'"),
        (".csv", "node,team,team\n", "x:1: a column has no name, or that of another"),
        (".csv", 'node,team\n"a', "cannot read x: unexpected end of data"),
        (".csv", "node,pod\na,b\n", "x:2: 'pod' is what agents say, and cannot be set"),
        (".csv", "node,peer_team\na,b\n", "x:2: 'peer_team' is what agents say"),
        (".csv", "node,1st\na,b\n", "x:2: '1st' is no name of a label"),
        (".csv", "node,team\na,b\x01\n", "x:2: team is no text of at most 1024 characters"),
        (".csv", ",".join(f"c{n}" for n in range(100)), "x:1: there are 100 columns"),
        (".json", "{}", "cannot read x: it is no list of entries"),
        (".json", "[3]", "cannot read x, entry 1: it is no table"),
        (".json", "[" * 100_000, "cannot read x: it is nested too deeply"),
        (".json", '[{"node": "a", "set": {"b": ["c"]}}]', "entry 1: b is no text"),
        (".json", '[{"node": "a", "set": 3}]', "entry 1: set is no table of texts"),
        (".json", "nul", "cannot read x: Expecting value"),
        (".yaml", "", "x is none of .toml, .csv, .json"),
    ],
)
def test_what_is_wrong_is_said(suffix: str, text: str, problem: str) -> None:
    with pytest.raises(BadFileError) as caught:
        parse(text.encode(), suffix, "x")
    assert problem in caught.value.message
    assert "\n" not in caught.value.message and len(caught.value.message) <= 300


def test_it_is_bounded() -> None:
    with pytest.raises(BadFileError, match="has more than 16 MiB"):
        parse(bytes(MOST_BYTES + 1), ".csv", "x")
    rows = "a,b\n" * (MOST_ENTRIES + 1)
    with pytest.raises(BadFileError, match="has more than 100,000 entries"):
        parse(f"node,team\n{rows}".encode(), ".csv", "x")


def test_no_bytes_but_utf_8() -> None:
    with pytest.raises(BadFileError, match="cannot read x: 'utf-8' codec"):
        parse(b"\xff", ".csv", "x")


def test_an_ipv4_address_within_ipv6_is_that_address() -> None:
    (one,) = parse(b"address,team\n::ffff:10.0.0.0/104,a", ".csv", "x")
    assert one.network == ipaddress.ip_network("10.0.0.0/8")
