"""Other people's clients over HTTP: what they send comes back, by our API and by Pyroscope's."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ebprof.collector.api import querier
from ebprof.wire import otlp, push
from ebprof.wire.querier import PREFIX, ProfileTypesRequest, ProfileTypesResponse
from tests import collector_extra, pushes
from tests.collecting import Answer, Running
from tests.exports import Export

collector_extra.need()
CPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": otlp.MEDIA_TYPE}
MS = 1_000_000


def as_json(service: str) -> bytes:
    """A push as the documentation of Pyroscope has it for curl."""
    raw = b64encode(pushes.pprof_bytes()).decode()
    labels = [{"name": "service_name", "value": service}]
    series = {"labels": labels, "samples": [{"ID": service, "rawProfile": raw}]}
    return json.dumps({"series": [{**series, "annotations": []}]}).encode()


def exported(**fields: Any) -> Export:
    found = Export()
    found.profile({"main;h": 2}, resource={"service.name": "otel"}, **fields)
    return found


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("clients") / "data") as running:
        running.wait_until_ready()
        sent = [
            ("/ingest?name=plain{pod=a,x.y=z}", pushes.pprof_bytes(), {}),
            ("/ingest?name=folded", b"main;f 3\nmain;g 1\n", {}),
            (push.PATH, as_json("json"), JSON),
            (otlp.PATH, exported().bytes(), PROTOBUF),
        ]
        for path, body, headers in sent:
            answer = running.request("POST", path, body, headers)
            assert answer.status == 200, answer.body
        running.wait_until_stored()
        yield running


def ask(collector: Running, method: str, **asked: Any) -> Answer:
    now = time.time_ns() // MS
    within = {} if "left" in asked else {"start": now - 600_000, "end": now + 60_000}
    return collector.request("POST", PREFIX + method, json.dumps(within | asked).encode(), JSON)


def merged(collector: Running, selector: str = "{}", **asked: Any) -> dict[str, Any]:
    asked = {"profileTypeID": CPU, "labelSelector": selector} | asked
    answer = ask(collector, "SelectMergeStacktraces", **asked)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json.get("flamegraph", {})
    return found


def test_what_was_sent_comes_back_by_our_api(collector: Running) -> None:
    for service, text in {
        "plain": "main;f;g 30000000\n",
        "folded": "main;f 30000000\nmain;g 10000000\n",
        "json": "main;f;g 30000000\n",
        "otel": "main;h 20000000\n",
    }.items():
        answer = collector.get(
            "/api/v1/profiles/flamegraph",
            type="cpu",
            format="folded",
            query=f'{{service_name="{service}"}}',
        )
        assert answer.body.decode() == text


def test_flame_graphs_are_those_of_pyroscope(collector: Running) -> None:
    found = merged(collector, '{service_name="folded"}')
    assert sorted(found["names"]) == ["f", "g", "main", "total"]
    assert [len(one["values"]) for one in found["levels"]] == [4, 4, 8]
    assert (found["total"], found["maxSelf"]) == ("40000000", "30000000")
    assert merged(collector, '{service_name="folded"}', maxNodes=2)["total"] == "40000000"
    assert merged(collector, '{service_name="nobody"}') == {}


def test_a_difference_has_both_totals(collector: Running) -> None:
    now = time.time_ns() // MS
    left, right = (
        {
            "profileTypeID": CPU,
            "labelSelector": f'{{service_name="{service}"}}',
            "start": now - 600_000,
            "end": now + 60_000,
        }
        for service in ("folded", "otel")
    )
    found = ask(collector, "Diff", left=left, right=right).json["flamegraph"]
    assert (found["leftTicks"], found["rightTicks"]) == ("40000000", "20000000")


def test_series_are_by_any_labels(collector: Running) -> None:
    asked = {"profileTypeID": CPU, "step": 3600, "groupBy": ["service_name", "pod"]}
    series = ask(collector, "SelectSeries", **asked).json["series"]
    found = {
        tuple(one.get("value", "") for one in row["labels"]): sum(
            point["value"] for point in row["points"]
        )
        for row in series
    }
    assert found == {
        ("folded", ""): 40_000_000,
        ("plain", "a"): 30_000_000,
        ("json", ""): 30_000_000,
        ("otel", ""): 20_000_000,
    }
    first = ask(collector, "SelectSeries", **asked, limit=1).json["series"]
    assert [one["labels"][0]["value"] for one in first] == ["folded"]


def test_labels_are_found_as_grafana_asks_for_them(collector: Running) -> None:
    grafana = [f'{CPU}{{service_name="plain"}}']
    names = ask(collector, "LabelNames", matchers=grafana).json["names"]
    assert names == ["__profile_type__", "pod", "service_name", "x.y"]
    quoted = ['{"x.y"="z",__profile_type__="' + CPU + '"}']
    found = ask(collector, "LabelValues", name="service_name", matchers=quoted)
    assert found.json["names"] == ["plain"]
    either = ['{service_name="json"}', '{service_name="otel"}']
    found = ask(collector, "LabelValues", name="service_name", matchers=either)
    assert found.json["names"] == ["json", "otel"]
    assert ask(collector, "LabelValues", name="__profile_type__").json["names"] == [CPU]


def test_protobuf_is_answered_in_protobuf(collector: Running) -> None:
    headers = {"Content-Type": "application/proto"}
    body = ProfileTypesRequest().SerializeToString()
    answer = collector.request("POST", f"{PREFIX}ProfileTypes", body, headers)
    assert answer.headers["content-type"] == "application/proto"
    (kind,) = ProfileTypesResponse.FromString(answer.body).profile_types
    assert (kind.ID, kind.name, kind.sample_unit) == (CPU, "process_cpu", "nanoseconds")


@pytest.mark.parametrize(
    ("method", "asked", "status", "text"),
    [
        ("SelectMergeStacktraces", {"profileTypeID": "x"}, 400, "cannot read profile type 'x'"),
        ("SelectMergeStacktraces", {"profileTypeID": "a:b:c:d:e"}, 400, "unknown type 'b:c'"),
        ("SelectMergeStacktraces", {"profileTypeID": CPU, "format": 2}, 501, "another format"),
        ("SelectMergeStacktraces", {"profileTypeID": CPU, "labelSelector": "{a}"}, 400, "after a"),
        (
            "SelectMergeStacktraces",
            {"profileTypeID": CPU, "stackTraceSelector": {}},
            501,
            "stack_trace_selector is not for this server",
        ),
        (
            "SelectMergeStacktraces",
            {"profileTypeID": CPU, "profileIdSelector": ["x"]},
            501,
            "profile_id_selector",
        ),
        ("SelectSeries", {"profileTypeID": CPU}, 400, "cannot read step 0.0"),
        ("SelectSeries", {"profileTypeID": CPU, "step": 1, "aggregation": 1}, 501, "aggregation"),
        ("SelectSeries", {"profileTypeID": CPU, "step": 0.001}, 400, "more than 11,000 steps"),
        ("LabelNames", {"start": 9, "end": 8}, 400, "start (9) is not before end (8)"),
        ("LabelNames", {"matchers": [f'{{a="{n}"}}' for n in range(20)]}, 400, "16 matchers"),
        ("LabelValues", {"name": "color"}, 400, "no series has the label 'color'"),
        ("ProfileTypes", {"starts": 1}, 400, "not a querier.v1.ProfileTypesRequest"),
    ],
)
def test_what_cannot_be_answered_says_so(
    collector: Running, method: str, asked: dict[str, Any], status: int, text: str
) -> None:
    answer = ask(collector, method, **asked)
    assert answer.status == status
    assert set(answer.json) == {"code", "message"}
    assert answer.json["code"] == {400: "invalid_argument", 501: "unimplemented"}[status]
    assert text in answer.json["message"]


def test_each_call_is_documented() -> None:
    page = (Path(__file__).parents[4] / "docs" / "clients.md").read_text()
    for path in querier.paths():
        assert f"`{path.removeprefix(PREFIX)}`" in page


def test_a_profile_that_is_left_out_is_counted(collector: Running) -> None:
    found, counter = exported(), "rejected_profiles_total"
    found.profile({"main": 1}, time_ns=5)
    before = collector.metric(counter)
    answer = collector.request("POST", otlp.PATH, found.bytes(), PROTOBUF)
    assert (answer.status, answer.headers["content-type"]) == (200, otlp.MEDIA_TYPE)
    partial = otlp.ExportResponse.FromString(answer.body).partial_success
    assert partial.rejected_profiles == 1
    assert "too old" in partial.error_message
    assert collector.metric(counter) == before + 1


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "text"),
    [
        (b"\xff", PROTOBUF, 400, 3, "not an ExportProfilesServiceRequest"),
        (exported(time_ns=5).bytes(), PROTOBUF, 400, 3, "too old"),
        (b"{}", JSON, 415, 12, "cannot read Content-Type 'application/json'"),
        (bytes(17 << 20), PROTOBUF, 413, 3, "push has more than 16 MiB"),
    ],
)
def test_a_refused_export_has_a_status(
    collector: Running, body: bytes, headers: dict[str, str], status: int, code: int, text: str
) -> None:
    answer = collector.request("POST", otlp.PATH, body, headers)
    found = otlp.Status.FromString(answer.body)
    assert (answer.status, found.code) == (status, code)
    assert text in found.message


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "text"),
    [
        ("/ingest", b"a 1", {}, 400, "cannot read name ''"),
        ("/ingest?name=a&format=jfr", b"", {}, 415, "cannot read format 'jfr'"),
        ("/ingest?name=a", b"", {"Content-Type": "binary/octet-stream+trie"}, 415, "'trie'"),
        (push.PATH, b"{", JSON, 400, "not a push.v1.PushRequest as JSON"),
        (push.PATH, b"[" * 100_000, JSON, 400, "not a push.v1.PushRequest as JSON"),
    ],
)
def test_what_is_refused(
    collector: Running, path: str, body: bytes, headers: dict[str, str], status: int, text: str
) -> None:
    answer = collector.request("POST", path, body, headers)
    assert answer.status == status
    assert text in answer.json["message"]
