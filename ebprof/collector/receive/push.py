"""Checks pushes: what comes out of here can be stored without a further look.

A push is taken or refused as a whole, so that its sender knows what became of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from ebprof.collector import kinds
from ebprof.collector.limits import Limits
from ebprof.collector.profiles.batch import Batch, excess, measure, read_measured
from ebprof.collector.receive.refusals import RefusedError, TimeError, TooLargeError
from ebprof.collector.receive.unpack import GZIP_MAGIC, gunzip
from ebprof.errors import BadFileError
from ebprof.walls import refusing
from ebprof.wire.push import PushRequest

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.]*")
_MAX_SUM = 1 << 56
_MOST_MET = 1_024


@dataclass(frozen=True, slots=True)
class Push:
    """A push that may be stored.

    message: a push.v1.PushRequest, as it was sent or as what was sent became one. profiles, stacks:
    how many it has. rejected: profiles that were sent besides and are left out; problem: why the
    first of them is.
    """

    message: Any
    profiles: int
    stacks: int
    rejected: int = 0
    problem: str = ""


Read = Callable[[bytes, int, Limits], Push]
"""Makes a push of an unpacked body; raises RefusedError. The number: nanoseconds since the epoch,
which profiles may not be too far from.
"""


def read_push(body: bytes, now_ns: int, limits: Limits) -> Push:
    """The push of a PushRequest as protobuf; see `Read`."""
    return checked(_parse(body), now_ns, limits)


def read_json(body: bytes, now_ns: int, limits: Limits) -> Push:
    """The same of a PushRequest as JSON (protobuf.dev/programming-guides/json)."""
    _bound("bytes of JSON", len(body), limits.packed_bytes)
    try:
        message = json_format.Parse(body, PushRequest(), ignore_unknown_fields=True)
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise RefusedError(f"not a push.v1.PushRequest as JSON: {error}") from None
    return checked(message, now_ns, limits)


def checked(message: Any, now_ns: int, limits: Limits) -> Push:
    """The push that a PushRequest is; raises RefusedError where it may not be stored."""
    profiles = sum(len(series.samples) for series in message.series)
    _bound("series", len(message.series), limits.series)
    _bound("profiles", profiles, limits.profiles)
    for number, series in enumerate(message.series):
        _check_labels(f"series {number}", series, limits)
    stacks = _check_profiles(message, now_ns, limits)
    return Push(message, profiles, stacks)


def unpacked(raw: bytes, limit: int) -> bytes:
    """A profile without gzip; raises RefusedError."""
    plain = gunzip(raw, limit, "profile") if raw.startswith(GZIP_MAGIC) else raw
    if len(plain) > limit:
        raise TooLargeError(f"profiles have more than {limit >> 20} MiB when they are unpacked")
    return plain


def labels_of(series: Any) -> tuple[tuple[str, str], ...]:
    """The labels of a series, in the order of names."""
    return tuple(sorted((one.name, one.value) for one in series.labels))


def _parse(body: bytes) -> Any:
    message = PushRequest()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise RefusedError(f"not a push.v1.PushRequest: {error}") from None
    message.DiscardUnknownFields()  # records of the log have other fields besides
    return message


def _bound(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise TooLargeError(f"push has {count:,} {what}, which is more than {limit:,}")


# ---- labels -----------------------------------------------------------------------------------


def _check_labels(where: str, series: Any, limits: Limits) -> None:
    if len(series.labels) > limits.labels:
        raise RefusedError(f"{where} has more than {limits.labels} labels")
    for problem in _problems(series, limits):
        raise RefusedError(f"{where}: {problem}")


@lru_cache(_MOST_MET)
def _is_label_name(name: str) -> bool:
    return _LABEL_NAME.fullmatch(name) is not None


def _problems(series: Any, limits: Limits) -> Iterator[str]:
    seen: set[str] = set()
    for one in series.labels:
        if len(one.name) > limits.label_name or not _is_label_name(one.name):
            yield f"{one.name[:64]!r} is not the name of a label"
        if len(one.value) > limits.label_value:
            yield f"the value of {one.name} is longer than {limits.label_value}"
        if one.name in seen:
            yield f"the label {one.name} is there twice"
        seen.add(one.name)


# ---- profiles ---------------------------------------------------------------------------------


def _check_profiles(message: Any, now_ns: int, limits: Limits) -> int:
    """Check all profiles of a push, and count their stacks."""
    places, profiles = _unpacked(message, limits)
    data, pieces = measure(profiles)
    if too_much := excess(pieces):
        raise TooLargeError(too_much)
    try:
        with refusing(RefusedError):
            batch = read_measured(data, pieces, limits.depth)
            for problem in batch.problems(limits.depth):
                raise _at(places[problem.profile], RefusedError(problem.message))
            for profile, error in _refusals(batch, now_ns, limits):
                raise _at(places[profile], error)
    except BadFileError as error:
        raise RefusedError(f"profiles: {error.message}") from None
    _bound("stacks", len(batch.samples), limits.stacks)
    return len(batch.samples)


def _unpacked(message: Any, limits: Limits) -> tuple[list[str], list[bytes]]:
    """Where each profile stands in a push, and the profiles."""
    places, profiles, room = [], [], limits.plain_bytes
    for number, series in enumerate(message.series):
        for index, sample in enumerate(series.samples):
            place = f"series {number}, profile {index}"
            if len(sample.ID) > limits.id_length:
                raise RefusedError(f"{place}: its ID is longer than {limits.id_length}")
            try:
                plain = unpacked(sample.raw_profile, room)
            except RefusedError as error:
                raise _at(place, error) from None
            places.append(place)
            profiles.append(plain)
            room -= len(plain)
    return places, profiles


def _at(place: str, error: RefusedError) -> RefusedError:
    return type(error)(f"{place}: {error.message}")


def _refusals(batch: Batch, now_ns: int, limits: Limits) -> Iterator[tuple[int, RefusedError]]:
    """Why profiles of a batch cannot be stored."""
    types = batch.type_names
    ends = np.cumsum(batch.count("types"))
    for profile, names in enumerate(np.split(np.arange(len(types)), ends[:-1])):
        problem = kinds.problem([types[one] for one in names.tolist()])
        if problem:
            yield profile, RefusedError(problem)
    for profile, time_ns in enumerate(batch.pieces["header"]["time_nanos"].tolist()):
        if time_ns > 0:
            yield from ((profile, one) for one in _time_errors(time_ns, now_ns, limits))
    _, row = batch.row_of_value
    sums = np.bincount(row, batch.values.astype(float), len(types))
    is_negative = np.bincount(row, batch.values < 0, len(types)) > 0
    for bad in np.flatnonzero(is_negative | (sums > _MAX_SUM)).tolist():
        profile = int(np.searchsorted(ends, bad, "right"))
        yield profile, RefusedError("a value is negative, or values are too large")


def _time_errors(time_ns: int, now_ns: int, limits: Limits) -> Iterator[RefusedError]:
    ahead_s = (time_ns - now_ns) / 1e9
    if ahead_s > limits.future_s:
        yield TimeError(f"its time is {ahead_s:.0f} s ahead of the collector's clock")
    if ahead_s < -limits.past_s:
        yield TimeError(f"its time is {-ahead_s:.0f} s ago, which is too old")
