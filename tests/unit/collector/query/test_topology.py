"""Edges between services, of known windows of several nodes in a store of its own."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ebprof.collector.cmdb.catalogue import Cmdb
from ebprof.collector.cmdb.formats import parse as parse_cmdb
from ebprof.collector.query.ends import LABELS
from ebprof.collector.query.flows import FlowSums
from ebprof.collector.query.graph import Edge
from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.query.selector import parse
from ebprof.collector.query.times import Range
from ebprof.collector.query.topology import Topology, TopologyAnswer
from ebprof.collector.receive import records
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.wire import EnrichRequest, Failure
from ebprof.wire.flows import FlowWindow, encode
from tests import collector_extra
from tests.flow_windows import Flow, Process, flow, window
from tests.stored import Store, store

collector_extra.need()
HOUR = time.time_ns() // 10**6 // HOUR_MS * HOUR_MS
NOW = HOUR + 1_800_000
MS = 1_000_000
N1, N2, N3 = "10.0.0.1", "10.0.0.2", "10.0.0.3"
SHOP, CRON, WEB = Process("shop", 1), Process("cron", 2), Process("web", 3)
REDIS, MIRROR, SQL = Process("redis", 4), Process("mirror", 5), Process("postgres", 6, "sql")
LOCAL, BOX = Process("local", 7), Process("box", 8, container="c" * 64)
OUTSIDERS = 10_000


def both(client: Process, server: Process, tx: int, rx: int, **more: Any) -> tuple[Flow, Flow]:
    """A connection as both ends see it, on two nodes: neither knows the other's process."""
    shared: dict[str, Any] = {"port": more.pop("port", 6379), "connections": 1}
    near, far = more.pop("near", N1), more.pop("far", N2)
    return (
        flow(client, tx=tx, rx_bytes=rx, local=near, address=far, **shared, **more),
        flow(server, "server", tx=rx, rx_bytes=tx, local=far, address=near, **shared),
    )


def summed(*flows: Flow) -> Flow:
    """Flows of one process and address as that node's kernel adds them up."""
    counts: dict[str, int] = {}
    for one in flows:
        for name, value in one.counts.items():
            counts[name] = counts.get(name, 0) + value
    return replace(flows[0], counts=counts)


def windows() -> Iterator[tuple[str, list[Flow]]]:
    """Flows by node."""
    plain = both(SHOP, REDIS, 1000, 50, retransmits=3, rtt_sum=900, rtt_count=3)
    # Two services behind one address: the server sees one caller.
    one, two = both(CRON, SQL, 70, 7, port=5432), both(WEB, SQL, 30, 3, port=5432)
    # One port, two services in turn: the client sees one server.
    three, four = both(SHOP, REDIS, 5, 1, port=7000), both(SHOP, MIRROR, 6, 2, port=7000)
    # A container's address is translated to its node's.
    inner, _ = both(BOX, SQL, 400, 40, port=5433, near="172.17.0.2")
    _, outer = both(BOX, SQL, 400, 40, port=5433)
    yield "n1", [plain[0], one[0], two[0], summed(three[0], four[0]), inner]
    yield "n2", [plain[1], summed(one[1], two[1]), three[1], four[1], outer]
    met: dict[str, Any] = {"local": "127.0.0.1", "address": "127.0.0.1", "port": 80}
    half = met | {"port": 82}  # only the client knows whom it met
    yield (
        "n3",
        [
            flow(LOCAL, tx=9, rx_bytes=8, peer=WEB, **met),
            flow(WEB, "server", tx=8, rx_bytes=9, peer=LOCAL, **met),
            flow(LOCAL, refused=2, **met | {"port": 81}),
            flow(LOCAL, tx=1, rx_bytes=4, peer=WEB, **half),
            flow(WEB, "server", tx=4, rx_bytes=1, **half),
            flow(WEB, "unknown", tx=13, local=N3, address=N1),
            flow(WEB, tx=100, rx_bytes=1, local=N3, address="203.0.113.7", port=443),
            flow(LOCAL, tx=3, local=N3, address=N1, port=22, timeout=1),
            *(
                flow(WEB, "server", tx=2, rx_bytes=1, local=N3, address=outsider(number), port=443)
                for number in range(OUTSIDERS)
            ),
        ],
    )


def outsider(number: int) -> str:
    """Of each ten, nine are on the internet, and one in a network of 256."""
    net, host = divmod(number, 250)
    return f"{'10.9' if number % 10 == 0 else '198.51'}.{net}.{host + 1}"


def at(ago_ms: int, node: str, *flows: Flow) -> FlowWindow:
    return window(*flows, at_ns=(NOW - ago_ms) * MS, node=node)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """What `windows` has, just now; of two days the plain connection once more."""
    path = tmp_path_factory.mktemp("topology")
    made = [at(5000, node, *flows) for node, flows in windows()]
    for ago in (DAY_MS, 2 * DAY_MS - HOUR_MS):
        client, server = both(SHOP, REDIS, 10_000, 500)
        made += [at(ago, "n1", client), at(ago, "n2", server)]
    messages = [records.of_flows(1, encode(one)).message() for one in made]
    with store(path) as one:
        assert one.write(path / "segment", *messages).unreadable == 0
        yield one


def ask(filled: Store, by: str = "service", query: str = "", **more: Any) -> Any:
    within = Range(NOW - more.pop("ago_ms", HOUR_MS // 2), NOW)
    return filled.request(Topology(parse(query), within, by, NOW, Retention(), **more))


def graph(filled: Store, by: str = "service", query: str = "", **more: Any) -> TopologyAnswer:
    answer = ask(filled, by, query, **more)
    assert isinstance(answer, TopologyAnswer), answer
    return answer


def edges(answer: TopologyAnswer) -> dict[tuple[str, str], Edge]:
    found = {(one.client.name, one.server.name): one for one in answer.edges}
    assert len(found) == len(answer.edges)
    return found


def sides(edge: Edge) -> list[tuple[int, int] | None]:
    """Bytes from client to server and back: used, by the client's side, by the server's."""
    seen = (edge.used, edge.client_side, edge.server_side)
    return [(one.tx_bytes, one.rx_bytes) if one else None for one in seen]


def test_an_edge_is_what_either_side_saw_and_never_their_sum(filled: Store) -> None:
    answer = graph(filled)
    found = edges(answer)
    assert sides(found["local", "web"]) == [(10, 12)] * 3
    shop = found["shop", "redis"]
    # At port 7000 only the server's side knows which of the two it is.
    assert sides(shop) == [(1005, 51), (1000, 50), (1005, 51)]
    assert (shop.used.connections, shop.used.retransmits, shop.used.rtt_us) == (2, 3, 300.0)
    assert shop.server_side is not None
    assert shop.server_side.retransmits == 0
    assert (shop.is_counted, shop.is_apart, shop.differs) == (True, False, 0)


def test_services_behind_one_address_are_told_apart_by_the_other_side(filled: Store) -> None:
    found = edges(graph(filled))
    assert sides(found["cron", "sql"]) == [(70, 7), (70, 7), None]
    assert sides(found["web", "sql"]) == [(30, 3), (30, 3), None]
    shared = found["~shared", "sql"]
    assert (shared.client.kind, shared.is_counted) == ("shared", False)
    assert sides(shared) == [(100, 10), None, (100, 10)]
    assert sides(found["shop", "mirror"]) == [(6, 2), None, (6, 2)]
    asked = found["shop", "~shared"]
    assert (asked.server.kind, asked.is_counted) == ("shared", False)
    assert sides(asked) == [(11, 3), (11, 3), None]


def test_a_translated_address_is_that_of_the_client_on_its_node(filled: Store) -> None:
    box = edges(graph(filled))["box", "sql"]
    assert sides(box) == [(400, 40)] * 3
    assert (box.is_apart, box.is_counted, box.differs) == (True, True, 0)


def test_who_no_agent_watches_is_put_together(filled: Store) -> None:
    found = edges(graph(filled))
    assert found["web", "203.0.113.7"].server.kind == "outside"
    public = found["~internet", "web"]
    assert (public.client.kind, sides(public)[0]) == ("outside", (9000, 18_000))
    networks = [one for one in found.values() if one.client.name.startswith("10.9.")]
    assert sum(one.used.tx_bytes for one in networks) == OUTSIDERS // 10
    assert len(networks) == 40
    assert networks[0].client.name.endswith(".0/24")


def test_a_node_stands_for_the_process_that_nobody_saw(filled: Store) -> None:
    found = edges(graph(filled))
    refused = found["local", "n3"]
    assert (refused.server.kind, refused.used.failed) == ("machine", {"refused": 2})
    assert found["local", "n1"].used.failed == {"timeout": 1}
    assert edges(graph(filled, "node"))["n3", "n1"].server.kind == "value"


def test_totals_have_each_connection_once(filled: Store) -> None:
    answer = graph(filled)
    counted = [one.used.bytes for one in answer.edges if one.is_counted]
    assert sum(counted) == answer.total.bytes
    moved = 1050 + 110 + 14 + 440 + 22 + 101 + 3 + 3 * OUTSIDERS
    assert answer.total.bytes == moved
    assert answer.unplaced.bytes == 13
    for role, seen in (("client", answer.client_side), ("server", answer.server_side)):
        within = Range(NOW - HOUR_MS // 2, NOW)
        sums = FlowSums(parse(f'{{role="{role}"}}'), within, ("role",), NOW, Retention())
        (row,) = filled.request(sums).rows
        assert seen.bytes == row["tx_bytes"] + row["rx_bytes"]
    sent = sum(one.tx_bytes for one in answer.nodes)
    assert sent == sum(one.rx_bytes for one in answer.nodes) == moved


def test_few_nodes_and_the_rest_is_other(filled: Store) -> None:
    answer = graph(filled, most=1)
    names = {one.end.name for one in answer.nodes}
    assert {"web", "~internet", "~other"} <= names
    assert answer.hidden_nodes > 5
    assert answer.total == graph(filled).total
    assert {one.end.kind for one in answer.nodes} == {"value", "outside", "other"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{service="mirror"}', {("shop", "mirror")}),
        ('{service_name="redis"}', {("shop", "redis")}),
        ('{node="n3",port="80"}', {("local", "web")}),
        ('{process="nobody"}', set()),
    ],
)
def test_a_selector_selects_edges_by_either_end(
    filled: Store, query: str, expected: set[tuple[str, str]]
) -> None:
    found = edges(graph(filled, query=query))
    assert set(found) == expected
    if "redis" in query:
        assert sides(found["shop", "redis"]) == [(1005, 51), (1000, 50), (1005, 51)]


@pytest.mark.parametrize("by", LABELS)
def test_each_label_has_the_same_total(filled: Store, by: str) -> None:
    assert graph(filled, by).total.bytes == graph(filled).total.bytes


@pytest.mark.parametrize(
    ("by", "edge"),
    [("node", ("n1", "n2")), ("process", ("box", "postgres")), ("container_id", ("c" * 64, ""))],
)
def test_other_labels(filled: Store, by: str, edge: tuple[str, str]) -> None:
    assert edge in edges(graph(filled, by))


@pytest.mark.parametrize(("ago_ms", "times"), [(DAY_MS + 1, 1), (2 * DAY_MS, 2)])
def test_long_ranges_are_read_from_sums_of_hours(filled: Store, ago_ms: int, times: int) -> None:
    shop = edges(graph(filled, query='{port="6379"}', ago_ms=ago_ms))["shop", "redis"]
    assert sides(shop) == [(1000 + times * 10_000, 50 + times * 500)] * 3


@pytest.mark.parametrize(
    ("by", "query", "message"),
    [
        ("namespace", "", "ends have no label 'namespace'"),
        ("peer", "", "ends have no label 'peer'"),
        ("service", '{colour="red"}', "flows have no label 'colour'"),
        ("service", '{service=~"("}', "no RE2 expression"),
    ],
)
def test_bad_questions(filled: Store, by: str, query: str, message: str) -> None:
    answer = ask(filled, by, query)
    assert isinstance(answer, Failure)
    assert message in answer.message
    assert answer.hint


def test_labels_that_enrichers_added_are_ends_too(tmp_path: Path) -> None:
    rows = "node,address,team\nn1,,front\nn2,,data\n,203.0.113.0/24,bank\n"
    catalogue = Cmdb(parse_cmdb(rows.encode(), ".csv", "x"))
    client, server = both(SHOP, REDIS, 1000, 50)
    outside = flow(SHOP, tx=9, address="203.0.113.9", port=443)
    with store(tmp_path) as one:
        one.request(EnrichRequest(1, (("cmdb", pickle.dumps(catalogue)),)))
        made = (at(5000, "n1", client, outside), at(5000, "n2", server))
        messages = (records.of_flows(1, encode(each)).message() for each in made)
        one.write(tmp_path / "segment", *messages)
        found = edges(graph(one, "team"))
        refused = ask(one, "peer_team")
    assert sides(found["front", "data"]) == [(1000, 50)] * 3
    assert found["front", "bank"].server.kind == "outside"
    assert isinstance(refused, Failure)
    assert "team" in refused.hint


def test_an_agent_that_was_away_leaves_the_other_side(tmp_path_factory: Any) -> None:
    """The fuller side is used, and that they differ is said."""
    path = tmp_path_factory.mktemp("away")
    client, server = both(SHOP, REDIS, 3_000_000, 50_000)
    made = [at(ago, "n2", server) for ago in range(5000, 125_000, 10_000)]
    made += [at(ago, "n1", client) for ago in range(5000, 35_000, 10_000)]
    with store(path) as one:
        one.write(path / "segment", *(records.of_flows(1, encode(each)).message() for each in made))
        (edge,) = graph(one).edges
    assert sides(edge) == [(36_000_000, 600_000), (9_000_000, 150_000), (36_000_000, 600_000)]
    assert (edge.differs, edge.because) == (-9 * 3_050_000, "one_side_away")
