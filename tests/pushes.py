"""Pushes as agents and Pyroscope's clients send them."""

from __future__ import annotations

import gzip
import io
import time
import uuid
from typing import Any

from ebprof.model import Profile
from ebprof.output import pprof
from ebprof.wire.push import PushRequest
from tests import builders


def pprof_bytes(profile: Profile | None = None, **fields: Any) -> bytes:
    """A profile as pprof, packed; by default one of now, with 3 samples of 10 ms of a stack."""
    if profile is None:
        fields = {"time_ns": time.time_ns(), "period": 10_000_000} | fields
        profile = builders.profile(builders.stack("main;f;g", 3, comm="", pid=0), **fields)
    file = io.BytesIO()
    pprof.write(profile, file)
    return file.getvalue()


def push(
    *profiles: bytes, labels: dict[str, str] | None = None, ids: list[str] | None = None
) -> Any:
    """A push.v1.PushRequest of one series."""
    message = PushRequest()
    add_series(message, *profiles, labels=labels, ids=ids)
    return message


def add_series(
    message: Any,
    *profiles: bytes,
    labels: dict[str, str] | None = None,
    ids: list[str] | None = None,
) -> None:
    """Add a series of profiles; their IDs are new unless they are given."""
    series = message.series.add()
    wanted = {"__name__": "process_cpu", "service_name": "demo"} if labels is None else labels
    for name, value in wanted.items():
        series.labels.add(name=name, value=value)
    for number, raw in enumerate(profiles):
        series.samples.add(raw_profile=raw, ID=ids[number] if ids else str(uuid.uuid4()))


def bomb(size: int) -> bytes:
    """A gzip file of zeros."""
    return gzip.compress(bytes(size), 1, mtime=0)
