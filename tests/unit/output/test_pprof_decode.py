"""What is read into columns is what the protobuf library reads, whatever the bytes are."""

from __future__ import annotations

import gzip
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebprof.errors import BadFileError
from ebprof.model import Profile
from ebprof.output import _pprof_columns, pprof
from ebprof.output._pprof_decode import decode, is_profile
from ebprof.output._profile_proto import ProfileMessage
from tests import builders, slow
from tests.fuzz import corpus
from tests.unit.output import naive_pprof
from tests.unit.output.built import heap, wall
from tests.unit.output.written import written

TEXTS = (
    "",
    "cpu",
    "nanoseconds",
    "pid",
    "tid",
    "comm",
    "stop",
    "time",
    "[a]",
    "cpu",
    "main",
    "count",
)
SMALL = st.integers(0, 3)
STRING = st.integers(0, len(TEXTS) - 1)
NUMBER = st.one_of(SMALL, st.integers(-(2**63), 2**63 - 1))


def fields(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


def several(strategy: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, max_size=most)


LABEL = fields(key=STRING, str=STRING, num=NUMBER, num_unit=STRING)
MAPPING = fields(id=SMALL, memory_start=SMALL, memory_limit=SMALL, filename=STRING, build_id=STRING)
LINE = fields(function_id=SMALL, line=NUMBER)
LOCATION = fields(id=SMALL, mapping_id=SMALL, address=st.integers(0, 2**64 - 1), line=several(LINE))
FUNCTION = fields(id=SMALL, name=STRING, system_name=STRING, filename=STRING)
SAMPLE = st.fixed_dictionaries(
    {"value": st.lists(st.integers(-1, 2**61), min_size=2, max_size=2)},
    optional={"location_id": several(st.integers(0, 4)), "label": several(LABEL)},
)
VALUE_TYPE = fields(type=STRING, unit=STRING)
MESSAGE = st.fixed_dictionaries(
    {"sample_type": st.lists(VALUE_TYPE, min_size=2, max_size=2)},
    optional={
        "sample": several(SAMPLE, 6),
        "mapping": several(MAPPING),
        "location": several(LOCATION),
        "function": several(FUNCTION),
        "period_type": VALUE_TYPE,
        "period": NUMBER,
        "time_nanos": NUMBER,
        "drop_frames": STRING,
        "comment": several(STRING),
        "default_sample_type": STRING,
    },
)


def message(values: dict[str, Any]) -> bytes:
    texts = [text.encode() for text in TEXTS]
    return bytes(ProfileMessage(string_table=texts, **values).SerializeToString())


def outcome(read: Any, data: bytes) -> Profile | None:
    with suppress(BadFileError):
        return read(data)
    return None


def check(data: bytes) -> None:
    assert outcome(decode, data) == outcome(naive_pprof.decode, data)


def seeds() -> list[bytes]:
    plain = [gzip.decompress(written(pprof, one)) for one in (builders.example(), Profile())]
    return [*plain, heap().bytes(), wall().strings_first()]


@given(MESSAGE)
@settings(max_examples=slow.examples(400))
def test_any_message_is_read_as_protobuf_reads_it(values: dict[str, Any]) -> None:
    check(message(values))


@given(st.data())
@settings(max_examples=slow.examples(400))
def test_any_change_is_read_as_protobuf_reads_it(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(seeds())))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(whole) - 1))
        end = data.draw(st.integers(place, min(len(whole), place + 4)))
        whole[place:end] = data.draw(st.binary(max_size=6))
    check(bytes(whole))


def tag(number: int, kind: int) -> bytes:
    return varint(number << 3 | kind)


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


WHOLE = heap().bytes()
GROUPS = b"".join(tag(number, 3) for number in range(20, 120))
ENDS = b"".join(tag(number, 4) for number in reversed(range(20, 120)))
ODD = {
    "nothing": b"",
    "varint of ten bytes": tag(9, 0) + b"\xff" * 9 + b"\x01",
    "varint whose last byte has too many bits": tag(9, 0) + b"\xff" * 9 + b"\x7f",
    "varint of eleven bytes": tag(9, 0) + b"\xff" * 10 + b"\x01",
    "varint longer than it need be": tag(9, 0) + b"\x85\x80\x80\x00",
    "varint that does not end": tag(9, 0) + b"\x80",
    "field 0": b"\x00\x00",
    "largest field": tag((1 << 29) - 1, 0) + b"\x01",
    "field beyond the largest": varint((1 << 32) | 8) + b"\x01",
    "tag longer than it need be": b"\xc8\x80\x80\x80\x00\x05",
    "tag of six bytes": b"\xc8\x80\x80\x80\x80\x00\x05",
    "wire type 6": tag(9, 6),
    "wire type 7": tag(9, 7),
    "known field of another type": tag(9, 2)
    + b"\x02ab"
    + tag(2, 0)
    + b"\x05"
    + tag(6, 1)
    + b"8" * 8,
    "fixed numbers": tag(99, 1) + b"8" * 8 + tag(99, 5) + b"4" * 4,
    "fixed number that is cut": tag(99, 1) + b"7" * 7,
    "length beyond the end": tag(6, 2) + b"\x05abcd",
    "length of 2 GiB": tag(6, 2) + varint(1 << 31),
    "length longer than it need be": tag(6, 2) + b"\x81\x80\x80\x80\x00a",
    "length of six bytes": tag(6, 2) + b"\x81\x80\x80\x80\x80\x00a",
    "group": tag(50, 3) + tag(9, 0) + b"\x05" + tag(50, 4),
    "group that does not end": tag(50, 3) + tag(9, 0) + b"\x05",
    "end without a group": tag(50, 4),
    "group with another end": tag(50, 3) + tag(51, 4),
    "known field as a group": tag(2, 3) + tag(2, 4),
    "groups within groups": GROUPS + ENDS,
    "groups too deep": tag(19, 3) + GROUPS + ENDS + tag(19, 4),
    "end of a group in a message": tag(11, 2) + b"\x01" + tag(1, 4),
    "comments packed": tag(13, 2) + b"\x02\x00\x01" + tag(13, 0) + b"\x02",
    "comments packed and cut": tag(13, 2) + b"\x02\x00\x81",
    "period type in two parts": tag(11, 2) + b"\x02\x08\x01" + tag(11, 2) + b"\x02\x10\x02",
    "sample that is no message": tag(2, 2) + b"\x01\xff",
    "label that is no message": tag(2, 2) + b"\x03\x1a\x01\xff",
    "line that is no message": tag(4, 2) + b"\x03\x22\x01\xff",
}


@pytest.mark.parametrize("extra", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("whole", [b"", WHOLE], ids=["alone", "behind"])
def test_the_encoding_is_taken_as_protobuf_takes_it(extra: bytes, whole: bytes) -> None:
    data = whole + extra
    parsed = True
    try:
        ProfileMessage.FromString(data)
    except Exception:
        parsed = False
    assert outcome(_pprof_columns.read_message, data) is not None or not parsed
    assert is_profile(data) == (parsed and bool(whole))
    check(data)


@pytest.mark.parametrize("data", corpus.kept("pprof"))
def test_what_fuzzing_keeps_is_read_as_protobuf_reads_it(data: bytes) -> None:
    check(data)


def test_ids_of_any_size_are_found_and_the_last_of_equal_ones_counts() -> None:
    names = [b"", b"cpu", b"count", b"old", b"new"]
    one = ProfileMessage(string_table=names, sample_type=[{"type": 1, "unit": 2}])
    ids = [0, 1, 2**32, 2**64 - 1, *(number << 40 for number in range(1, 500))]
    for name in (3, 4):
        for number in ids:
            one.function.add(id=number, name=name)
            one.location.add(id=number, address=name).line.add(function_id=number)
    one.sample.add(location_id=ids, value=[1])
    data = one.SerializeToString()
    (sample,) = decode(data).samples
    assert {place.frames[0].function for place in sample.locations[1:]} == {"new"}
    check(data)


@pytest.mark.parametrize(
    ("table", "row", "most"),
    [
        ("sample_type", {"type": 1}, "256 sample types"),
        ("sample", {"value": [1]}, "5 samples"),
        ("mapping", {"id": 1}, "5 mappings"),
        ("location", {"id": 1}, "5 locations"),
        ("function", {"id": 1}, "5 functions"),
    ],
)
def test_tables_are_bounded(
    table: str, row: dict[str, int], most: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pprof_columns, "MAX_ROWS", 5)
    monkeypatch.setattr(_pprof_columns, "MAX_SAMPLES", 5)
    small = {"string_table": [b"", b"cpu"], "sample_type": [{"type": 1}]}
    decode(ProfileMessage(**(small | {table: [row]})).SerializeToString())
    with pytest.raises(BadFileError, match=f"more than {most}"):
        decode(ProfileMessage(**(small | {table: [row] * 257})).SerializeToString())
