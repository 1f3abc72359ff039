"""Checks pushes: what comes out of here can be stored without a further look.

A push is taken or refused as a whole, so that its sender knows what became of it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from ebprof.collector import kinds
from ebprof.collector.limits import Limits
from ebprof.collector.receive.refusals import RefusedError, TimeError, TooLargeError
from ebprof.collector.receive.unpack import GZIP_MAGIC, gunzip
from ebprof.errors import BadFileError
from ebprof.model import Profile
from ebprof.output import pprof
from ebprof.walls import refusing
from ebprof.wire.push import PushRequest

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.]*")
_MAX_SUM = 1 << 56


@dataclass(frozen=True, slots=True)
class Push:
    """A push that may be stored.

    message: as it was sent (push.v1.PushRequest). profiles, stacks: how many it has.
    """

    message: Any
    profiles: int
    stacks: int


def read_push(body: bytes, now_ns: int, limits: Limits) -> Push:
    """The push that an unpacked body holds; raises RefusedError.

    now_ns: nanoseconds since the epoch, which profiles may not be too far from.
    """
    message = _parse(body)
    profiles = sum(len(series.samples) for series in message.series)
    _bound("series", len(message.series), limits.series)
    _bound("profiles", profiles, limits.profiles)
    check = _Check(now_ns, limits)
    for number, series in enumerate(message.series):
        check.series(number, series)
    return Push(message, profiles, check.stacks)


def read_profile(raw: bytes, limit: int) -> tuple[Profile, int]:
    """A pprof profile, packed or not, and its size unpacked; raises RefusedError, BadFileError."""
    plain = gunzip(raw, limit, "profile") if raw.startswith(GZIP_MAGIC) else raw
    if len(plain) > limit:
        raise TooLargeError(f"profiles have more than {limit >> 20} MiB when they are unpacked")
    with refusing():
        return pprof.read(io.BytesIO(plain)), len(plain)


def labels_of(series: Any) -> dict[str, str]:
    """The labels of a series by name, in the order of names."""
    return dict(sorted((one.name, one.value) for one in series.labels))


def _parse(body: bytes) -> Any:
    message = PushRequest()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise RefusedError(f"not a push.v1.PushRequest: {error}") from None
    return message


def _bound(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise TooLargeError(f"push has {count:,} {what}, which is more than {limit:,}")


class _Check:
    """Sums over the profiles of one push, and what they may come to."""

    def __init__(self, now_ns: int, limits: Limits) -> None:
        self._now_ns = now_ns
        self._limits = limits
        self._room = limits.plain_bytes
        self.stacks = 0

    def series(self, number: int, series: Any) -> None:
        where = f"series {number}"
        self._labels(where, series)
        for index, sample in enumerate(series.samples):
            self._profile(f"{where}, profile {index}", sample)

    def _labels(self, where: str, series: Any) -> None:
        limits = self._limits
        if len(series.labels) > limits.labels:
            raise RefusedError(f"{where} has more than {limits.labels} labels")
        for problem in self._problems(series):
            raise RefusedError(f"{where}: {problem}")

    def _problems(self, series: Any) -> Iterator[str]:
        seen: set[str] = set()
        for one in series.labels:
            if len(one.name) > self._limits.label_name or not _LABEL_NAME.fullmatch(one.name):
                yield f"{one.name[:64]!r} is not the name of a label"
            if len(one.value) > self._limits.label_value:
                yield f"the value of {one.name} is longer than {self._limits.label_value}"
            if one.name in seen:
                yield f"the label {one.name} is there twice"
            seen.add(one.name)

    def _profile(self, where: str, sample: Any) -> None:
        if len(sample.ID) > self._limits.id_length:
            raise RefusedError(f"{where}: its ID is longer than {self._limits.id_length}")
        try:
            profile, size = read_profile(sample.raw_profile, self._room)
        except BadFileError as error:
            raise RefusedError(f"{where}: {error.message}") from None
        except RefusedError as error:
            raise type(error)(f"{where}: {error.message}") from None
        self._room -= size
        self._check_time(where, profile)
        self._check_stacks(where, profile)

    def _check_time(self, where: str, profile: Profile) -> None:
        if not profile.time_ns:
            return
        ahead_s = (profile.time_ns - self._now_ns) / 1e9
        if ahead_s > self._limits.future_s:
            raise TimeError(f"{where}: its time is {ahead_s:.0f} s ahead of the collector's clock")
        if ahead_s < -self._limits.past_s:
            raise TimeError(f"{where}: its time is {-ahead_s:.0f} s ago, which is too old")

    def _check_stacks(self, where: str, profile: Profile) -> None:
        problem = kinds.problem(profile.types)
        if problem:
            raise RefusedError(f"{where}: {problem}")
        samples = profile.samples
        self.stacks += len(samples)
        _bound("stacks", self.stacks, self._limits.stacks)
        tables = samples.tables
        if tables.stacks.sums(tables.location_frames.lengths).max(initial=0) > self._limits.depth:
            raise RefusedError(f"{where}: a stack has more than {self._limits.depth} frames")
        values = samples.counts if profile.is_sampled else samples.values
        amount = max(1, profile.period) if profile.is_sampled else 1
        if values.min(initial=0) < 0 or float(values.sum(dtype=float)) * amount > _MAX_SUM:
            raise RefusedError(f"{where}: a value is negative, or values are too large")
