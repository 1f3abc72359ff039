"""Rows of a batch say what the reader of single profiles says, whatever the bytes are."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebprof.collector.profiles.batch import read
from ebprof.collector.store import frames
from ebprof.collector.store import rows as store_rows
from ebprof.collector.store.hashes import Hasher
from ebprof.collector.store.rows import Known, Labels, Rows, Sent, rows_of
from ebprof.errors import BadFileError
from ebprof.model import Location, Profile, SampleType, samples_of
from ebprof.output import pprof
from tests import builders, pushes, slow
from tests.unit.output.test_pprof_decode import MESSAGE, message

LABELS: Labels = (("pod", "p"), ("service_name", "x"))
DEPTH = 65_536


def plain(profile: Profile) -> bytes:
    return gzip.decompress(pushes.pprof_bytes(profile))


def rows(*profiles: bytes, labels: Labels = LABELS) -> Rows:
    return rows_of(
        read(profiles, DEPTH), [Sent(labels, 10**15)] * len(profiles), Known(Hasher(b""))
    )


def stored(found: Rows) -> Counter[Any]:
    """Values by time, type, process, stop reason and stack."""
    columns, totals = found.samples, Counter[Any]()
    ids = columns.stack_id.view("V16").tolist()
    for at in range(len(columns)):
        service = columns.services[columns.service[at]]
        stack = found.stacks[service, ids[at]]
        frames = tuple(
            (
                row.module,
                row.build_id,
                row.address,
                row.names,
                row.system_names,
                row.files,
                row.lines,
            )
            for row in map(found.frames.__getitem__, stack.frame_ids)
        )
        process = dict(found.series[int(columns.series_id[at])].labels).get("process", "")
        key = columns.ts[at], columns.types[columns.type[at]], process, stack.stop, frames
        totals[key] += int(columns.value[at])
    return totals


def expected(data: bytes) -> Counter[Any]:
    """The same of a profile as the reader of files has it."""
    profile, totals = pprof.read(io.BytesIO(data)), Counter[Any]()
    types, period = profile.types, profile.period
    for sample in profile.samples:
        values = sample.values or (0,) * (len(types) - 1) + (sample.count * (period or 1),)
        frames = tuple(map(frame, sample.locations))
        for kind, value in zip(types, values, strict=True):
            name = {"cpu:nanoseconds": "cpu"}.get(":".join(kind), ":".join(kind))
            process = sample.comm if sample.pid else ""
            totals[(profile.time_ns or 10**15) // 10**6, name, process, sample.stop, frames] += (
                value
            )
    return nonzero(totals)


def nonzero(totals: Counter[Any]) -> Counter[Any]:
    """Totals as int64 has them."""
    wrapped = {key: (value + 2**63) % 2**64 - 2**63 for key, value in totals.items()}
    return Counter({key: value for key, value in wrapped.items() if value})


def frame(location: Location) -> Any:
    mapping = location.mapping
    module, build_id = (mapping.path, mapping.build_id) if mapping else ("", "")
    offset = location.address - mapping.start + mapping.offset if mapping else 0
    first = location.frames[0]
    name = f"[{mapping.name if mapping else ''}]+{offset:#x}"
    is_alone = len(location.frames) == 1 and not first.file
    if build_id and offset > 0 and is_alone and first.function == name:
        return module, build_id, offset, (), (), (), ()
    lines = tuple(min(one.line, 0xFFFFFFFF) for one in location.frames)
    texts = ((one.function, one.system_name, one.file) for one in location.frames)
    return module, build_id, 0, *zip(*texts, strict=True), lines


TYPES = (SampleType("things", "count"), SampleType("cpu", "nanoseconds"))


def typed() -> Profile:
    samples = [builders.stack("main;f", 3, values=(3, 30)), builders.stack("g", 4, values=(4, 0))]
    return builders.profile(*samples, sample_types=TYPES, shown=1)


@pytest.mark.parametrize(
    "profile",
    [
        builders.example(),
        builders.profile("main;f_[i]", period=0),
        builders.profile("main;[libc.so]+0x10;g", time_ns=0),
        typed(),
        replace(builders.example(), event="cycles", unit="count"),
        builders.many_stacks(50, 10),
    ],
    ids=["example", "counted", "without time", "typed", "cycles", "many"],
)
def test_rows_are_what_the_reader_of_files_says(profile: Profile) -> None:
    data = plain(profile)
    found = stored(rows(data))
    assert found == expected(data)
    assert found


def test_profiles_of_a_batch_do_not_meet() -> None:
    parts = [plain(one) for one in (builders.example(), typed(), builders.many_stacks(9, 5))]
    together = rows(*parts, b"no profile", *parts)
    alone = Counter[Any]()
    for one in parts * 2:
        alone.update(stored(rows(one)))
    assert stored(together) == alone


@pytest.mark.parametrize("most_known", [1, 1000])
def test_frames_that_were_met_before_are_the_same_rows(
    monkeypatch: pytest.MonkeyPatch, most_known: int
) -> None:
    monkeypatch.setattr(frames, "_MOST_KNOWN", most_known)
    parts = [plain(one) for one in (builders.example(), typed(), builders.many_stacks(9, 5))]
    known = Known(Hasher(b""))
    for numbers in ([0], [1, 0], [2], [0, 1, 2]):
        some = [parts[one] for one in numbers]
        met = rows_of(read(some, DEPTH), [Sent(LABELS, 10**15)] * len(some), known)
        assert met.frames == rows(*some).frames
        assert stored(met) == stored(rows(*some))


def test_rows_of_stacks_are_made_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Any, ...]] = []
    monkeypatch.setattr(store_rows, "StackRow", lambda *of: made.append(of))
    found = rows(plain(builders.example()))
    keys = [*found.stacks]
    assert len(keys) == len(found.stacks) > 1 and made == []
    assert found.stacks[keys[1]] is None
    assert [one[:2] for one in made] == [keys[1]]


@settings(max_examples=slow.examples(100), deadline=None)
@given(st.lists(MESSAGE, min_size=1, max_size=4))
def test_any_messages_are_read_alike(messages: list[Any]) -> None:
    readable, known = [], Counter[Any]()
    for data in map(message, messages):
        with suppress(BadFileError):
            known.update(expected(data))
            readable.append(data)
    batch = read(readable, DEPTH)
    assert [problem.message for problem in batch.problems(DEPTH)] == []
    found = rows_of(batch, [Sent(LABELS, 10**15)] * len(readable), Known(Hasher(b"")))
    assert nonzero(stored(found)) == nonzero(known)


def test_threads_and_labels_of_pprof_are_put_together() -> None:
    samples = [builders.stack("main;f", 2, tid=number) for number in range(3)]
    other = builders.stack("main;f", 5, comm="other", pid=2)
    found = rows(plain(builders.profile(*samples, other, period=10)))
    assert found.samples.types == ["cpu"]
    assert sorted(found.samples.value.tolist()) == [50, 60]
    labels = {dict(row.labels)["process"] for row in found.series.values()}
    assert labels == {"demo", "other"}
    assert len(set(found.samples.stack_id.tolist())) == 1


def test_addresses_wait_for_their_names_by_build_id() -> None:
    where = builders.Mapping("/lib/x.so", "abcd", 0x1000, 0x9000, 0x400)
    location = Location(0x1234, where, (builders.Frame("[x.so]+0x634"),))
    sample = builders.stack("main")
    profile = builders.profile(replace(sample, locations=(location, *sample.locations)))
    found = rows(plain(profile))
    (row,) = [one for one in found.frames.values() if not one.names]
    assert (row.module, row.build_id, row.address) == ("/lib/x.so", "abcd", 0x634)


def test_empty_batches_have_no_rows() -> None:
    for found in (rows(), rows(plain(replace(builders.example(), samples=samples_of([]))))):
        assert len(found.samples) == 0
        assert found.samples.stack_id.dtype == np.dtype("S16")
