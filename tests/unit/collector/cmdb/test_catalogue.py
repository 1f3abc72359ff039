"""Which entry's value a label gets, and that no entry is missed, however many there are."""

from __future__ import annotations

import ipaddress
import pickle
import random
from fnmatch import fnmatchcase

import pytest

from ebprof.collector.cmdb.catalogue import Cmdb, rank
from ebprof.collector.cmdb.entries import Entry
from ebprof.collector.cmdb.formats import parse
from ebprof.enrichers import Subject

HERE = Subject(
    node="web-1",
    container="c0ffee",
    unit="nginx.service",
    address="10.1.2.3",
    port=80,
    labels=(("job", "night"), ("service_name", "nginx")),
)
TEXT = """
container,unit,address,port,label:job,node,team
c0*,,,,,,container
,nginx.*,,,,,unit
,,10.1.2.3,,,,host
,,10.1.2.0/24,,,,network
,,10.0.0.0/8,,,,wide
,,,80,,,port
,,,,night,,label
,,,,,web-*,node
"""
WORDS = ("container", "unit", "host", "network", "wide", "port", "label", "node")


def cmdb(text: str) -> Cmdb:
    return Cmdb(parse(text.strip().encode(), ".csv", "x"))


@pytest.mark.parametrize("count", range(len(WORDS)))
def test_the_most_exact_entry_counts(count: int) -> None:
    header, *rows = TEXT.strip().splitlines()
    left = [header, *reversed(rows[count:])]  # whatever their order
    assert cmdb("\n".join(left)).labels(HERE) == {"team": WORDS[count]}


def test_more_conditions_count_before_fewer_and_the_first_of_equal_ones() -> None:
    found = cmdb("port,node,team,zone\n80,,a,\n80,web-1,b,\n80,web-*,c,\n,web-1,,w\n")
    assert found.labels(HERE) == {"team": "b", "zone": "w"}


@pytest.mark.parametrize(
    "row",
    [
        ",,10.1.2.4,,,",
        ",,10.1.2.3,81,,",
        ",,::/0,,,",
        ",,,,day,",
        "c0,,,,,",
        ",nginx,,,,",
        ",,,,night,db-*",
    ],
)
def test_all_conditions_have_to_hold(row: str) -> None:
    header = "container,unit,address,port,label:job,node,team"
    assert cmdb(f"{header}\n{row},x").labels(HERE) == {}


def test_what_is_not_known_is_nothing() -> None:
    assert cmdb("node,team\n*,x\n").labels(Subject(address="10.1.2.3")) == {}
    assert cmdb("label:job,team\n*,x\n").labels(Subject(node="a")) == {}
    assert cmdb("address,team\n0.0.0.0/0,x\n").labels(Subject(node="a")) == {}


def test_addresses_of_both_families() -> None:
    found = cmdb("address,team\n10.0.0.0/8,four\nfd00::/8,six\n::/0,any\n")
    assert found.labels(Subject(address="::ffff:10.1.2.3")) == {"team": "four"}
    assert found.labels(Subject(address="fd00::1")) == {"team": "six"}
    assert found.labels(Subject(address="2001:db8::1")) == {"team": "any"}
    assert found.labels(Subject(address="11.0.0.1")) == {}


def test_it_can_be_pickled() -> None:
    again = pickle.loads(pickle.dumps(cmdb(TEXT)))
    assert again.labels(HERE) == {"team": "container"}
    assert len(again) == len(WORDS)


def expected(entries: list[Entry], subject: Subject) -> dict[str, str]:
    """The same by comparing with every entry."""
    given, found = dict(subject.labels), dict[str, str]()
    for entry in sorted(entries, key=rank):
        texts = [(getattr(entry, name), getattr(subject, name)) for name in ("node", "unit")]
        texts += [(pattern, given.get(name, "")) for name, pattern in entry.labels]
        address = ipaddress.ip_address(subject.address)
        holds = (
            all(text and fnmatchcase(text, pattern) for pattern, text in texts if pattern),
            entry.port in (0, subject.port),
            entry.network is None or address in entry.network,
        )
        if all(holds):
            found = dict(entry.sets) | found
    return found


def test_what_is_found_is_what_every_entry_says() -> None:
    chance = random.Random(7)
    choose = chance.choice

    def entry() -> Entry | None:
        bits = choose((0, 8, 14, 15, 16))
        made = Entry(
            ((choose("xyz"), str(chance.random())),),
            node=choose(("", "n1", "n2", "n*")),
            unit=choose(("", "", "u1", "u?")),
            network=choose(
                (None, ipaddress.ip_network((chance.getrandbits(bits) << (32 - bits), bits)))
            )
            if bits
            else None,
            port=choose((0, 0, 1, 2)),
            labels=choose(((), (), (("l", "a"),), (("l", "*"),))),
        )
        return None if made == Entry(made.sets) else made

    entries = [one for one in (entry() for _ in range(2_000)) if one]
    found, hits = Cmdb(entries), 0
    for _ in range(300):
        subject = Subject(
            node=choose(("", "n1", "n3")),
            unit=choose(("", "u1")),
            address=str(ipaddress.ip_address(chance.getrandbits(16) << 16)),
            port=choose((0, 1)),
            labels=choose(((), (("l", "a"),))),
        )
        labels = found.labels(subject)
        assert labels == expected(entries, subject)
        hits += len(labels)
    assert hits > 100
