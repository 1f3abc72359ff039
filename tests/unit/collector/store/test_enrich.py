"""What enrichers know is added to series and flows, and nothing that agents said is lost."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

pytest.importorskip("pyarrow")

from ebprof.collector.cmdb.catalogue import Cmdb
from ebprof.collector.cmdb.formats import parse
from ebprof.collector.store import flow_tables
from ebprof.collector.store.enrich import Enriching, unit_of
from ebprof.collector.store.wire import EnrichRequest
from ebprof.enrichers import Catalogue, Subject
from tests.flow_windows import Process, flow, window

REDIS = Process("redis-server", 7, "redis", unit="redis.service", container="c0ffee")
SHOP = Process("python3", 8, "shop")


def enriching(**catalogues: Catalogue) -> Enriching:
    found = Enriching()
    pickled = ((name, pickle.dumps(one)) for name, one in catalogues.items())
    found.replace(EnrichRequest(1, tuple(pickled)))
    return found


def by_cmdb(*lines: str) -> Enriching:
    return enriching(cmdb=Cmdb(parse("\n".join(lines).encode(), ".csv", "x")))


def series(found: Enriching, **labels: str) -> dict[str, str]:
    sent = tuple(
        sorted((name.replace("source_", "__service_source__"), one) for name, one in labels.items())
    )
    return dict(found.of_series(sent))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("rule", "redis"),
        ("environment", "redis"),
        ("unit", "cache"),
        ("executable", "cache"),
        ("thread", "cache"),
        ("kernel", "redis"),
        ("", "redis"),
    ],
)
def test_which_names_of_services_stay(source: str, name: str) -> None:
    found = by_cmdb("node,service_name", "a,cache")
    assert series(found, node="a", service_name="redis", source_=source)["service_name"] == name


def test_a_series_without_a_service_gets_one() -> None:
    assert series(by_cmdb("node,service_name", "a,cache"), node="a")["service_name"] == "cache"


def test_labels_are_added_and_never_replaced() -> None:
    found = by_cmdb("node,team,zone,tier", "a,search,west,db")
    got = series(found, node="a", team="own", zone="", service_name="x")
    assert got == {"node": "a", "team": "own", "zone": "west", "tier": "db", "service_name": "x"}
    assert series(found, node="b", zone="") == {"node": "b", "zone": ""}


@pytest.mark.parametrize(
    ("row", "matches"),
    [
        ("node-*,,,", True),
        (",c0ffee,,", True),
        (",,redis.service,", True),
        (",,user@0.service,", False),
        (",,,cache", True),
        (",,,other", False),
    ],
)
def test_what_a_series_is_matched_by(row: str, matches: bool) -> None:
    found = by_cmdb("node,container,unit,label:role,team", f"{row},x")
    got = series(
        found,
        node="node-1",
        container_id="c0ffee",
        cgroup="/user.slice/user@0.service/redis.service/part",
        role="cache",
    )
    assert ("team" in got) == matches


def test_units_of_cgroups() -> None:
    assert unit_of("/system.slice/a.service/docker-1.scope") == "docker-1.scope"
    assert unit_of("/system.slice/a.service/x.services/y") == "a.service"
    assert unit_of("/kubepods/x") == unit_of("") == ""


ROWS = (
    flow(REDIS, "server", tx=1, local="10.0.0.9", address="10.0.0.1", peer=SHOP),
    flow(SHOP, tx=2, local="10.0.0.1", address="10.0.0.9", peer=REDIS),
    flow(SHOP, tx=3, local="10.0.0.1", address="192.0.2.7", port=443),
    flow(REDIS, "server", tx=4, local="10.0.0.9", address="192.0.2.8"),
    flow(None, "unknown", tx=5, local="10.0.0.9", address="0.0.0.0"),
)


def rows(found: Enriching) -> dict[int, tuple[str, str, str]]:
    """Service, service of the peer and labels, by what was sent."""
    one = window(*ROWS)
    table = flow_tables.flows([one], [found.of_flows(one)])
    names = ("tx_bytes", "service", "peer_service", "labels")
    columns = (table[name].to_pylist() for name in names)
    return {sent: (own, peer, labels) for sent, own, peer, labels in zip(*columns, strict=True)}


def test_both_ends_of_a_flow_have_labels() -> None:
    found = by_cmdb(
        "address,port,node,team,zone",
        "10.0.0.9,6379,,data,",
        "10.0.0.1,,,web,",
        "192.0.2.0/24,443,,pay,",
        ",,n1,,west",
    )
    assert rows(found) == {
        1: ("redis", "shop", '{"peer_team":"web","peer_zone":"west","team":"data","zone":"west"}'),
        2: ("shop", "redis", '{"peer_team":"data","peer_zone":"west","team":"web","zone":"west"}'),
        3: ("shop", "", '{"peer_team":"pay","team":"web","zone":"west"}'),
        4: ("redis", "", '{"team":"data","zone":"west"}'),
        5: ("", "", '{"zone":"west"}'),
    }


def test_services_get_names_at_either_end() -> None:
    found = by_cmdb(
        "address,unit,service_name",
        "192.0.2.7,,payments",
        "192.0.2.8,,partner",
        ",redis.service,cache",
        "10.0.0.9,,machine",
    )
    assert rows(found) == {
        1: ("cache", "shop", ""),
        2: ("shop", "cache", ""),
        3: ("shop", "", '{"peer_service":"payments"}'),
        4: ("cache", "", '{"peer_service":"partner"}'),
        5: ("machine", "", ""),
    }


def test_names_of_all_labels_are_told() -> None:
    lines = ("address,team,zone,service_name", "192.0.2.7,x,,bank", "10.0.0.1,,west,")
    found = by_cmdb(*lines).of_flows(window(*ROWS))
    assert found is not None
    assert found.names == {"peer_team", "zone", "peer_zone"}


def test_without_enrichers_rows_are_as_they_were_pushed() -> None:
    assert Enriching().of_flows(window(*ROWS)) is None
    assert rows(Enriching())[3] == ("shop", "", "")
    assert rows(by_cmdb("node,team", "other,x"))[3] == ("shop", "", "")
    assert enriching(cmdb=Cmdb(())).of_flows(window()) is None


@dataclass(frozen=True)
class Says:
    """A catalogue that says the same of all."""

    of_all: Mapping[str, str]

    def labels(self, subject: Subject) -> Mapping[str, str]:
        return self.of_all


class Fails:
    """One that does not work."""

    def labels(self, subject: Subject) -> Mapping[str, str]:
        raise RuntimeError("no")


def test_the_first_enricher_counts_and_what_cannot_be_set_is_not() -> None:
    first = Says({"team": "one", "node": "other", "peer_x": "y", "9": "z", "long": "x" * 5_000})
    found = enriching(first=first, second=Says({"team": "two", "zone": "west"}))
    got = series(found, node="a")
    assert got.pop("long") == "x" * 1_024
    assert got == {"node": "a", "team": "one", "zone": "west"}


def test_one_that_fails_costs_what_it_knows_alone(
    walls_hold: None, caplog: pytest.LogCaptureFixture
) -> None:
    found = enriching(first=Fails(), second=Says({"zone": "west"}))
    assert series(found, node="a") == {"node": "a", "zone": "west"}
    assert series(found, node="a") == {"node": "a", "zone": "west"}
    assert (found.take_failures(), found.take_failures()) == (1, 0)
    assert "what enricher first knows: RuntimeError: no" in caplog.text


def test_what_cannot_be_unpickled_is_left_out(walls_hold: None) -> None:
    found = Enriching()
    found.replace(EnrichRequest(1, (("a", b"x"), ("b", pickle.dumps(Says({"zone": "west"}))))))
    assert series(found) == {"zone": "west"}
    assert found.take_failures() == 1


def test_other_catalogues_count_from_then_on() -> None:
    found = enriching(one=Says({"team": "one"}))
    assert series(found) == {"team": "one"}
    found.replace(EnrichRequest(2, (("one", pickle.dumps(Says({"team": "two"}))),)))
    assert series(found) == {"team": "two"}
