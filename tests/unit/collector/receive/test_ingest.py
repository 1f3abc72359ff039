"""Requests to `/ingest`: the push that each becomes, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ebprof.collector.limits import Limits
from ebprof.collector.receive.ingest import Ingest, parse_name, read_query
from ebprof.collector.receive.ingest_stacks import SUFFIXES
from ebprof.collector.receive.push import Push
from ebprof.collector.receive.refusals import RefusedError
from ebprof.model import SampleType
from ebprof.output import pprof
from tests import builders, pushes

NOW = 1_700_000_000_000_000_000
THEN_S = NOW // 10**9 - 60
LIMITS = Limits()
BOUNDARY = "xYz"


def take(body: bytes, content_type: str = "", **query: Any) -> Push:
    given = {"name": "app", **{name.rstrip("_"): str(value) for name, value in query.items()}}
    return read_query(given, content_type).read(body, NOW, LIMITS)


def labels_of(push: Push) -> dict[str, str]:
    (series,) = push.message.series
    return {one.name: one.value for one in series.labels}


def sent(push: Push) -> Any:
    (series,) = push.message.series
    (sample,) = series.samples
    return sample


def stacks(push: Push) -> dict[str, int]:
    """Values by stack, root first, as a reader of files has them."""
    profile = pprof.read(io.BytesIO(sent(push).raw_profile))
    return {
        ";".join(one.frames[0].function for one in reversed(sample.locations)): sample.count
        for sample in profile.samples
    }


def form(parts: Mapping[str, bytes]) -> tuple[bytes, str]:
    """A body, and its Content-Type, as clients send it."""
    text = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in parts.items()
    )
    return text + f"--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"


TWICE = form({"profile": b""})[0].removesuffix(b"--\r\n") + b"\r\n" + form({"profile": b""})[0][7:]


def profile(**fields: Any) -> bytes:
    return pushes.pprof_bytes(**({"time_ns": NOW} | fields))


@pytest.mark.parametrize("raw", [profile(), gzip.decompress(profile())], ids=["packed", "plain"])
@pytest.mark.parametrize("query", [{}, {"format": "pprof"}], ids=["unsaid", "said"])
def test_a_profile_is_taken_as_it_was_sent(raw: bytes, query: dict[str, str]) -> None:
    push = take(raw, **query)
    assert (push.profiles, push.stacks) == (1, 1)
    assert sent(push).raw_profile == raw
    assert labels_of(push) == {"service_name": "app"}


def test_one_in_a_form_is_the_same() -> None:
    raw = profile()
    body, content_type = form({"profile": raw, "sample_type_config": b"{}"})
    assert sent(take(body, content_type)).raw_profile == raw


@pytest.mark.parametrize(
    ("name", "spy", "labels"),
    [
        ("a b", "", {"service_name": "a b"}),
        ("app{}", "x", {"service_name": "app", "pyroscope_spy": "x"}),
        ("app.cpu{ region = eu ,a.b=c=d}", "", {"service_name": "app.cpu", "region": "eu"}),
        ("app{service_name=s,__x__=y}", "", {"service_name": "s", "app_name": "app"}),
    ],
)
def test_names_and_labels_are_those_of_pyroscope(
    name: str, spy: str, labels: dict[str, str]
) -> None:
    found = labels_of(take(profile(), name=name, spyName=spy))
    assert found == labels | ({"a.b": "c=d"} if "a.b" in name else {})


@pytest.mark.parametrize(
    ("said", "time_ns"),
    [
        (THEN_S, THEN_S * 10**9),
        (f"{THEN_S}.0", THEN_S * 10**9),
        (THEN_S * 1000 + 1, THEN_S * 10**9 + 10**6),
        (THEN_S * 10**6, THEN_S * 10**9),
        (THEN_S * 10**9 + 7, THEN_S * 10**9 + 7),
        ("", NOW),
    ],
)
@pytest.mark.parametrize("own", [0, NOW // 1000], ids=["none", "microseconds"])
def test_a_profile_without_a_time_is_of_the_one_that_is_said(
    said: object, time_ns: int, own: int
) -> None:
    for raw in (profile(time_ns=own), gzip.decompress(profile(time_ns=own))):
        push = take(raw, from_=said)
        found = pprof.read(io.BytesIO(gzip.decompress(raw) if raw[:1] == b"\x1f" else raw))
        assert found.time_ns == own
        assert pprof.read(io.BytesIO(_plain(sent(push).raw_profile))).time_ns == time_ns


def _plain(raw: bytes) -> bytes:
    return gzip.decompress(raw) if raw.startswith(b"\x1f") else raw


def test_its_own_time_counts_more() -> None:
    assert sent(take(profile(), from_=THEN_S)).raw_profile == profile()


def test_a_request_has_an_id_if_it_says_of_what_time_it_is() -> None:
    first, again = (sent(take(profile(time_ns=0), from_=THEN_S)).ID for _ in range(2))
    assert first == again != ""
    others = (
        take(profile(time_ns=0), from_=THEN_S + 1),
        take(profile(time_ns=0), from_=THEN_S, name="app{a=b}"),
        take(profile(), from_=THEN_S),
    )
    assert len({first, *(sent(one).ID for one in others)}) == 4
    assert sent(take(profile())).ID, "the profile says"
    assert sent(take(profile(time_ns=0))).ID == ""
    assert sent(take(b"a 1")).ID == ""


@pytest.mark.parametrize(
    ("types", "config", "name"),
    [
        (("contentions", "delay"), {}, "mutex"),
        (("contentions", "delay"), {"delay": {"display-name": "block_duration"}}, "block"),
        (("contentions", "delay"), {"delay": {"units": "lock_nanoseconds"}}, "mutex"),
        (("inuse_space",), {"inuse_space": {"display-name": "x"}}, ""),
    ],
)
def test_locks_are_told_apart_as_pyroscope_does(
    types: tuple[str, ...], config: dict[str, Any], name: str
) -> None:
    kinds = tuple(SampleType(one, "count") for one in types)
    sample = builders.stack("f", 1, comm="", pid=0, values=(1,) * len(kinds))
    raw = pushes.pprof_bytes(builders.profile(sample, sample_types=kinds, time_ns=NOW))
    body, content_type = form({"profile": raw, "sample_type_config": json.dumps(config).encode()})
    assert labels_of(take(body, content_type)).get("__name__", "") == name


@pytest.mark.parametrize(
    ("name", "units", "service", "kind", "value"),
    [
        ("app", "", "app", ("cpu", "nanoseconds"), 12 * 10_000_000),
        ("my.app.cpu", "samples", "my.app", ("cpu", "nanoseconds"), 12 * 10_000_000),
        ("app.wall", "", "app", ("wall", "nanoseconds"), 12 * 10_000_000),
        ("app.alloc_space", "bytes", "app", ("alloc_space", "bytes"), 12),
        ("app.block_duration", "", "app", ("delay", "nanoseconds"), 12),
        ("app", "bytes", "app", ("space", "bytes"), 12),
        ("my.app", "", "my.app", ("samples", "count"), 12),
    ],
)
def test_stacks_count_what_the_name_says(
    name: str, units: str, service: str, kind: tuple[str, str], value: int
) -> None:
    query = {"units": units} if units else {}
    push = take(b"main;f 5\n\nmain;g 1\nmain;f 7\n", name=name, from_=THEN_S, **query)
    assert labels_of(push)["service_name"] == service
    found = pprof.read(io.BytesIO(sent(push).raw_profile))
    assert found.types == (kind,)
    assert (found.time_ns, found.total) == (THEN_S * 10**9, value + value // 12)
    assert stacks(push) == {"main;f": value, "main;g": value // 12}


def test_names_in_stacks_stay_as_they_are() -> None:
    body = b"a b;C::d(int, int);x_[k] 2\n"
    assert stacks(take(body, sampleRate=10**9)) == {"a b;C::d(int, int);x_[k]": 2}


def test_lines_count_one_each() -> None:
    found = stacks(take(b"a;b 3\na;b 3\nc", format="lines", sampleRate=1000))
    assert found == {"a;b 3": 2_000_000, "c": 1_000_000}


def test_tables_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[4] / "docs" / "clients.md").read_text()
    for suffix in SUFFIXES:
        assert f"`{suffix}`" in page


@pytest.mark.parametrize(
    ("body", "query", "status", "text"),
    [
        (b"", {"name": ""}, 400, "cannot read name ''"),
        (b"", {"name": "a{b"}, 400, "cannot read name 'a{b'"),
        (b"", {"name": "a{b}"}, 400, "label 'b' of the name has no value"),
        (b"a 1", {"name": "a{x-y=b}"}, 400, "'x-y' is not the name of a label"),
        (b"", {"from_": "yesterday"}, 400, "cannot read from 'yesterday'"),
        (b"", {"until": "-1"}, 400, "cannot read until '-1'"),
        (b"a 1", {"from_": 1}, 400, "too old"),
        (b"", {"sampleRate": "0"}, 400, "cannot read sampleRate '0'"),
        (b"", {"format": "jfr"}, 415, "cannot read format 'jfr'"),
        (b"", {"format": "tree"}, 415, "cannot read format 'tree'"),
        (b"", {}, 400, "profile"),
        (b"\x00", {}, 400, "not a pprof profile"),
        (b"\x1f\x8bx", {}, 400, "gzip"),
        (b"hello", {}, 400, "line 1 is no stack with a count behind it"),
        (b"a 1\nb 1 x", {}, 400, "line 2 is no stack"),
        (b"a 99999999999999999", {}, 400, "counts are too large"),
        (b"\n", {"format": "groups"}, 400, "there is no stack in it"),
        (b"a;" * 3000 + b"a 1", {}, 400, "more than 2048 frames"),
        (b"a 1\n" * 300_000, {}, 413, "more than 200,000 lines"),
    ],
)
def test_what_is_refused(body: bytes, query: dict[str, Any], status: int, text: str) -> None:
    with pytest.raises(RefusedError, match=text) as found:
        take(body, **query)
    assert found.value.status == status


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"profile": b"", "prev_profile": b""}, "cannot read prev_profile"),
        ({"sample_type_config": b"{}"}, "the form has no part profile"),
        ({"jfr": b""}, "the form has the part 'jfr'"),
        ({"profile": b"", "sample_type_config": b"[]"}, "cannot read sample_type_config"),
        ({"profile": b"", "sample_type_config": b"{"}, "cannot read sample_type_config"),
    ],
)
def test_what_is_refused_in_a_form(parts: dict[str, bytes], text: str) -> None:
    body, content_type = form(parts)
    with pytest.raises(RefusedError, match=text):
        take(body, content_type)


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"", "multipart/form-data", "the form has no boundary"),
        (b"nonsense", f"multipart/form-data; boundary={BOUNDARY}", "cannot read the form"),
        (b"--xYz\r\n" + b"a: b\r\n" * 9_000, "multipart/form-data; boundary=xYz", "header"),
        (TWICE, "multipart/form-data; boundary=xYz", "the form has the part profile twice"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, content_type: str, text: str) -> None:
    with pytest.raises(RefusedError, match=text):
        take(body, content_type)


def test_a_name_is_read() -> None:
    assert parse_name("a{b=c}") == ("a", (("b", "c"),))
    assert Ingest("a", ()).format == ""
