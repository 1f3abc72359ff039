"""What a push may hold, and what is said of one that holds more."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from ebprof.collector.limits import Limits
from ebprof.collector.receive import push, refusals
from ebprof.collector.receive.push import read_push
from ebprof.collector.receive.unpack import unpack
from ebprof.model import SampleType
from ebprof.wire.log import LogRecord
from tests import builders, pushes

LIMITS = Limits()
NOW = time.time_ns()


def read(message: Any, limits: Limits = LIMITS) -> push.Push:
    return read_push(message.SerializeToString(), NOW, limits)


def refusal(message: Any, limits: Limits = LIMITS) -> refusals.RefusedError:
    with pytest.raises(refusals.RefusedError) as caught:
        read(message, limits)
    assert "\n" not in caught.value.message
    return caught.value


def test_a_push_is_counted() -> None:
    message = pushes.push(pushes.pprof_bytes(time_ns=NOW), pushes.pprof_bytes(time_ns=NOW))
    pushes.add_series(message, pushes.pprof_bytes(time_ns=NOW), labels={"a": "b"})
    read_back = read(message)
    assert (read_back.profiles, read_back.stacks) == (3, 3)
    labels = {"__name__": "process_cpu", "service_name": "demo"}
    assert push.labels_of(message.series[0]) == tuple(labels.items())


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({"a b": "c"}, "series 0: 'a b' is not the name of a label"),
        ({"x" * 129: "c"}, "is not the name of a label"),
        ({"a": "c" * 2049}, "series 0: the value of a is longer than 2048"),
        ({f"a{n}": "" for n in range(41)}, "series 0 has more than 40 labels"),
    ],
)
def test_labels_are_bounded(labels: dict[str, str], text: str) -> None:
    found = refusal(pushes.push(pushes.pprof_bytes(time_ns=NOW), labels=labels))
    assert text in found.message
    assert (found.status, found.code, found.reason) == (400, "invalid_argument", "malformed")


def test_a_label_is_there_once() -> None:
    message = pushes.push(pushes.pprof_bytes(time_ns=NOW))
    message.series[0].labels.add(name="service_name", value="x")
    assert refusal(message).message == "series 0: the label service_name is there twice"


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (replace(LIMITS, series=0), "push has 1 series, which is more than 0"),
        (replace(LIMITS, profiles=1), "push has 2 profiles, which is more than 1"),
        (replace(LIMITS, stacks=1), "push has 2 stacks, which is more than 1"),
        (replace(LIMITS, plain_bytes=300), "series 0, profile 1: profile has more than 0 MiB"),
    ],
)
def test_sizes_are_bounded(limits: Limits, text: str) -> None:
    found = refusal(
        pushes.push(pushes.pprof_bytes(time_ns=NOW), pushes.pprof_bytes(time_ns=NOW)), limits
    )
    assert text in found.message
    assert (found.status, found.code) == (413, "resource_exhausted")


def test_depth_is_bounded() -> None:
    deep = builders.profile(builders.stack(";".join(["f"] * 20)), time_ns=NOW)
    message = pushes.push(pushes.pprof_bytes(deep))
    assert "more than 19 frames" in refusal(message, replace(LIMITS, depth=19)).message
    read(message, replace(LIMITS, depth=20))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (700, "700 s ahead of the collector's clock"),
        (-300_000, "300000 s ago, which is too old"),
    ],
)
def test_times_are_bounded(seconds: int, text: str) -> None:
    found = refusal(pushes.push(pushes.pprof_bytes(time_ns=NOW + seconds * 10**9)))
    assert text in found.message
    assert found.reason == "time"


def test_what_is_no_profile_is_named() -> None:
    found = refusal(pushes.push(pushes.pprof_bytes(time_ns=NOW), b"\x0a\x00\xff"))
    assert found.message.startswith("series 0, profile 1: not a pprof profile")


def test_what_is_no_push_is_named() -> None:
    with pytest.raises(refusals.RefusedError, match="not a push"):
        read_push(b"\xff\xff", NOW, LIMITS)


def test_fields_that_only_the_log_has_are_dropped() -> None:
    """They would be read as flows, or could not be read again."""
    body = pushes.push(pushes.pprof_bytes(time_ns=NOW)).SerializeToString()
    unknown = b"".join(bytes([number << 3 | 2, 1, 0xFF]) for number in range(2, 16))
    kept = read_push(body + unknown, NOW, LIMITS).message.SerializeToString()
    assert kept == body
    assert not LogRecord.FromString(kept).HasField("flows")


def test_bombs_are_not_unpacked() -> None:
    with pytest.raises(refusals.TooLargeError, match="more than 1 MiB when it is unpacked"):
        unpack(pushes.bomb(4 << 20), "gzip", 1 << 20)
    message = pushes.push(pushes.bomb(4 << 20))
    assert refusal(message, replace(LIMITS, plain_bytes=1 << 20)).status == 413
    assert len(unpack(pushes.bomb(1000) * 2, "gzip", 2000)) == 2000


@pytest.mark.parametrize("data", [b"x", pushes.bomb(100)[:-1], pushes.bomb(100) + b"x"])
def test_broken_gzip_is_refused(data: bytes) -> None:
    with pytest.raises(refusals.RefusedError, match="gzip data of a push"):
        unpack(data, "gzip", 1 << 20)


def test_other_encodings_are_refused() -> None:
    with pytest.raises(refusals.MediaError, match="cannot unpack Content-Encoding 'br'"):
        unpack(b"", "br", 1)
    assert unpack(b"x", "identity", 1) == b"x"


def test_negative_values_are_refused() -> None:
    profile = builders.profile(builders.stack("f", 1, values=(-1, 1)), time_ns=NOW)
    types = (SampleType("a", "count"), SampleType("b", "count"))
    raw = pushes.pprof_bytes(replace(profile, sample_types=types, shown=1))
    assert "a value is negative" in refusal(pushes.push(raw)).message
