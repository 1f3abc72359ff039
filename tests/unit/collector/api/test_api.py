"""HTTP as clients see it: what is taken, what is refused and how, what is answered."""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ebprof.collector.api import queries
from ebprof.collector.query.flamegraph import FORMATS
from ebprof.wire import flows, push
from ebprof.wire.flows import encode
from tests import builders, collector_extra, pushes
from tests.collecting import Running
from tests.flow_windows import Process, flow, window

collector_extra.need()
PROTO = {"Content-Type": "application/proto"}
FLAMEGRAPH = "/api/v1/profiles/flamegraph"
DOCS = (Path(__file__).parents[4] / "docs" / "api.md").read_text()


REDIS, SHOP = Process("redis-server", 7, "redis"), Process("python3", 8, "shop")
FLOWS = window(
    flow(REDIS, "server", tx=70, rx_bytes=7, connections=2, peer=SHOP),
    flow(SHOP, tx=7, rx_bytes=70, peer=REDIS),
    losses={"untracked": 3},
)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("api") / "data") as running:
        running.wait_until_ready()
        message = pushes.push(pushes.pprof_bytes(), labels={"service_name": "demo", "node": "n"})
        assert running.push(message).status == 200
        assert running.push(encode(FLOWS), path=flows.PATH).status == 200
        running.wait_until_stored()
        yield running


def test_a_push_is_answered_as_connect_has_it(collector: Running) -> None:
    message = pushes.push(pushes.pprof_bytes(), labels={"service_name": "other"})
    answer = collector.push(message)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "application/proto"
    before = collector.metric("duplicate_profiles_total")
    packed = gzip.compress(message.SerializeToString())
    again = collector.request("POST", push.PATH, packed, PROTO | {"Content-Encoding": "gzip"})
    assert again.status == 200
    assert collector.metric("duplicate_profiles_total") == before + 1


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "text"),
    [
        (b"\xff", PROTO, 400, "invalid_argument", "not a push.v1.PushRequest"),
        (b"", {"Content-Type": "text/plain"}, 415, "unimplemented", "text/plain"),
        (b"", {}, 415, "unimplemented", "cannot read Content-Type ''"),
        (b"", PROTO | {"Content-Encoding": "br"}, 415, "unimplemented", "Content-Encoding 'br'"),
        (b"x", PROTO | {"Content-Encoding": "gzip"}, 400, "invalid_argument", "ends early"),
        (bytes(17 << 20), PROTO, 413, "resource_exhausted", "push has more than 16 MiB"),
    ],
)
def test_what_is_refused(
    collector: Running, body: bytes, headers: dict[str, str], status: int, code: str, text: str
) -> None:
    answer = collector.request("POST", push.PATH, body, headers)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["code"] == code
    assert text in answer.json["message"]
    assert set(answer.json) == {"code", "message"}


def test_a_body_without_a_length_is_bounded_too(collector: Running) -> None:
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    head = f"POST {push.PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/proto\r\n"
    with socket.create_connection(("127.0.0.1", collector.port), 60) as connection:
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(17):
            connection.sendall(chunk)
        assert connection.recv(64).startswith(b"HTTP/1.1 413")


def test_bad_profiles_are_counted_by_reason(collector: Running) -> None:
    before = collector.metric('pushes_total{result="time"}')
    message = pushes.push(pushes.pprof_bytes(time_ns=1))
    assert collector.push(message).json["code"] == "out_of_range"
    assert collector.metric('pushes_total{result="time"}') == before + 1


@pytest.mark.parametrize("name", FORMATS)
def test_flame_graphs_in_all_formats(collector: Running, name: str) -> None:
    query = '{service_name="demo"}'
    answer = collector.get(FLAMEGRAPH, type="cpu", query=query, format=name)
    assert answer.status == 200
    summary = json.loads(answer.headers["ebprof-summary"])
    assert (summary["total"], summary["unit"]) == (30_000_000, "nanoseconds")
    if name == "folded":
        assert answer.body == b"main;f;g 30000000\n"
    if name == "tree":
        assert answer.json["root"]["children"][0]["name"] == "main"


def test_lists_come_as_rows(collector: Running) -> None:
    assert {"node", "service_name"} <= set(collector.get("/api/v1/labels").json["rows"])
    values = collector.get("/api/v1/labels/node/values").json
    assert values == {"rows": ["n"]}
    types = collector.get("/api/v1/profiles/types").json["rows"]
    assert {"type": "cpu", "unit": "nanoseconds"} in types
    (agent,) = collector.get("/api/v1/agents").json["rows"]
    assert (agent["node"], agent["samples_total"]) == ("n", None)


def test_who_calls_whom(collector: Running) -> None:
    query = '{service_name="redis"}'
    answer = collector.get("/api/v1/flows", query=query, by="service,peer_service", from_="now-1h")
    assert answer.status == 200
    (row,) = answer.json["rows"]
    assert (row["service"], row["peer_service"]) == ("redis", "shop")
    assert (row["tx_bytes"], row["rx_bytes"], row["connections"]) == (70, 7, 2)
    assert answer.json["from"] < answer.json["to"]


def test_what_changed_needs_something_to_compare_with(collector: Running) -> None:
    answer = collector.get("/api/v1/changes", query='{service="redis"}', baseline="1h")
    assert answer.status == 200
    assert set(answer.json) == {"from", "to", "baseline", "step", "windows", "notes", "rows"}
    assert answer.json["baseline"]["name"] == "1h"
    assert answer.json["rows"] == [] and len(answer.json["notes"]) == 1


def test_topology_has_each_connection_once(collector: Running) -> None:
    answer = collector.get("/api/v1/topology", by="service", from_="now-1h")
    assert answer.status == 200
    assert [(one["name"], one["kind"]) for one in answer.json["nodes"]] == [
        ("redis", "service"),
        ("shop", "service"),
    ]
    (edge,) = answer.json["edges"]
    assert (edge["client"], edge["server"], edge["seen_by"]) == ("shop", "redis", "both")
    assert (edge["tx_bytes"], edge["rx_bytes"], edge["connections"]) == (7, 70, 0)
    assert edge["server_side"]["connections"] == 2
    assert answer.json["total"]["tx_bytes"] == 7
    assert edge["rates"]["rx_bytes"] == round(70 / 3600, 3)
    refused = collector.get("/api/v1/topology", by="colour")
    assert refused.status == 400
    assert "service" in refused.json["hint"]


def test_flows_that_are_pushed_again_are_not_stored_again(collector: Running) -> None:
    before = collector.metric("flows_total")
    assert before == 2 and collector.metric("flow_losses_total") == 3
    answer = collector.push(encode(FLOWS), path=flows.PATH)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "application/proto"
    assert collector.metric("duplicate_flow_pushes_total") == 1
    assert collector.metric("flows_total") == before


def test_hostile_flows_are_refused(collector: Running) -> None:
    answer = collector.request("POST", flows.PATH, b"\xff", PROTO)
    assert (answer.status, answer.json["code"]) == (400, "invalid_argument")
    packed = gzip.compress(bytes(65 << 20), 1)
    answer = collector.request("POST", flows.PATH, packed, PROTO | {"Content-Encoding": "gzip"})
    assert (answer.status, answer.json["code"]) == (413, "resource_exhausted")
    assert collector.get(flows.PATH).status == 405


def test_totals_over_time(collector: Running) -> None:
    answer = collector.get(
        "/api/v1/profiles/series",
        **{"type": "cpu", "query": '{node="n"}', "by": "node", "step": "1h", "from_": "now-2h"},
    ).json
    (row,) = answer["rows"]
    assert row["labels"] == {"node": "n"}
    assert [value for _, value in row["points"]] == [30_000_000]
    assert answer["step"] == 3600


@pytest.mark.parametrize(
    ("path", "parameters", "error"),
    [
        (FLAMEGRAPH, {}, "there is no type"),
        (FLAMEGRAPH, {"type": "cpus"}, "unknown type 'cpus'"),
        (FLAMEGRAPH, {"type": "cpu", "query": "{a"}, "cannot read query"),
        (FLAMEGRAPH, {"type": "cpu", "query": '{a="b"}'}, "no series has the label 'a'"),
        (FLAMEGRAPH, {"type": "cpu", "from_": "now", "to": "now-1h"}, "from (now) is not before"),
        (FLAMEGRAPH, {"type": "cpu", "from_": "x"}, "cannot read from 'x'"),
        (FLAMEGRAPH, {"type": "cpu", "format": "pdf"}, "unknown format 'pdf'"),
        (FLAMEGRAPH, {"type": "cpu", "max_nodes": "0"}, "max_nodes is no number"),
        (FLAMEGRAPH, {"type": "cpu", "typo": "1"}, "unknown parameter 'typo'"),
        ("/api/v1/labels/x/values", {}, "no series has the label 'x'"),
        ("/api/v1/profiles/series", {"type": "cpu", "by": "x"}, "no series has the label 'x'"),
        ("/api/v1/profiles/series", {"type": "cpu", "step": "x"}, "cannot read step 'x'"),
        ("/api/v1/changes", {"baseline": "2h"}, "unknown baseline '2h'"),
        ("/api/v1/changes", {"query": '{a="b"}'}, "nothing has the label 'a'"),
        ("/api/v1/changes", {"type": "cpu"}, "unknown parameter 'type'"),
    ],
)
def test_what_cannot_be_answered(
    collector: Running, path: str, parameters: dict[str, Any], error: str
) -> None:
    answer = collector.get(path, **parameters)
    assert answer.status == 400
    assert error in answer.json["error"]
    assert set(answer.json) == {"error", "hint"}


def test_unknown_paths_and_methods(collector: Running) -> None:
    for path in ("/api/v1/nothing", "/api/v1", "/api/v1/labels/", "/api/v1/labels//values"):
        assert collector.get(path).status == 404, path
    assert set(collector.get("/nothing").json) == {"error", "hint"}
    for method, path in (("POST", "/api/v1/labels"), ("GET", push.PATH), ("PUT", FLAMEGRAPH)):
        answer = collector.request(method, path)
        assert answer.status == 405
        assert answer.headers["allow"]
        assert set(answer.json) == {"error", "hint"}


def test_the_state_is_shown(collector: Running) -> None:
    assert collector.get("/-/healthy").body == b"ok\n"
    assert collector.get("/-/ready").json["problems"] == []
    text = collector.get("/metrics").body.decode()
    names = re.findall(r"^# TYPE (ebprof_collector_\w+) (?:counter|gauge)$", text, re.MULTILINE)
    assert names
    page = (Path(__file__).parents[4] / "docs" / "metrics.md").read_text()
    assert [name for name in names if f"`{name}" not in page] == []
    assert collector.metric('queries_total{result="answered"}') > 0


def test_the_page_has_every_path() -> None:
    for path in [*queries.paths(), push.PATH, "/metrics", "/-/healthy", "/-/ready"]:
        assert path.replace("{name}", "NAME") in DOCS, path


def test_a_store_that_dies_is_started_again_and_loses_nothing(collector: Running) -> None:
    collector.kill_store()
    stack = builders.stack("main;after", 1, comm="", pid=0)
    profile = builders.profile(stack, time_ns=time.time_ns(), period=10)
    message = pushes.push(pushes.pprof_bytes(profile), labels={"service_name": "later"})
    assert collector.push(message).status == 200
    answer = collector.get(FLAMEGRAPH, type="cpu")
    assert answer.status in (503, 200)
    collector.wait_until_stored()
    answer = collector.get(FLAMEGRAPH, type="cpu", query='{service_name="later"}', format="folded")
    assert answer.body == b"main;after 10\n"
    assert collector.metric("store_restarts_total") == 1
