"""Series as messages of push.v1, small enough for any collector; flows as messages of ebprof.v1."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ebprof.agent.encoding import Encoder
from ebprof.agent.kinds import FLOWS, PROFILES, Kind
from ebprof.agent.sender import packed
from ebprof.agent.series import Series
from ebprof.model import Profile
from ebprof.wire.flows import FlowWindow, encode
from ebprof.wire.push import PushRequest

MAX_STACKS = 20_000
MAX_BYTES = 4 << 20
MAX_SERIES = 500
"""Of one push."""


@dataclass(frozen=True, slots=True)
class Push:
    """body: a message of its kind, packed by gzip. amount: CPU samples, or flows, in it."""

    body: bytes
    amount: int
    kind: Kind = PROFILES


def pushes(series: Iterable[Series], encoder: Encoder) -> Iterator[Push]:
    """Pushes that hold all series; profiles of many stacks are in several parts."""
    message, stacks, samples, size = PushRequest(), 0, 0, 0
    for one in series:
        for part in parts(one.profile):
            raw = (Encoder() if one.is_own else encoder).encode(part)
            count = len(part.samples)
            is_full = len(message.series) >= MAX_SERIES or size + len(raw) > MAX_BYTES
            if stacks and (is_full or stacks + count > MAX_STACKS):
                yield _push(message, samples)
                message, stacks, samples, size = PushRequest(), 0, 0, 0
            _add(message, one.labels, raw)
            stacks, size = stacks + count, size + len(raw)
            samples += part.total if part.is_sampled else 0
    if stacks:
        yield _push(message, samples)


def parts(profile: Profile) -> Iterator[Profile]:
    """A profile in parts of MAX_STACKS samples."""
    for start in range(0, len(profile.samples), MAX_STACKS):
        yield replace(profile, samples=profile.samples[start : start + MAX_STACKS])


def _add(message: PushRequest, labels: Iterable[tuple[str, str]], raw: bytes) -> None:
    series = message.series.add()
    for name, value in labels:
        series.labels.add(name=name, value=value.encode("utf-8", "replace").decode())
    series.samples.add(raw_profile=raw, ID=str(uuid.uuid4()))


def flow_push(window: FlowWindow) -> Push:
    """The push of a window of flows."""
    return Push(packed(encode(window)), len(window.flows), FLOWS)


def _push(message: PushRequest, samples: int) -> Push:
    return Push(packed(message), samples)
