"""Checks pushes of flows: what comes out of here can be stored without a further look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebprof.collector.limits import Limits
from ebprof.collector.receive.refusals import RefusedError, TimeError, TooLargeError
from ebprof.wire.flows import COUNTS, FlowWindow, decode, parse

_MAX_SUM = 1 << 56


@dataclass(frozen=True, slots=True)
class FlowPush:
    """A push that may be stored. message: as it was sent (ebprof.v1.PushRequest)."""

    message: Any
    window: FlowWindow


def read_flows(body: bytes, now_ns: int, limits: Limits) -> FlowPush:
    """The push that an unpacked body holds; raises RefusedError.

    now_ns: nanoseconds since the epoch, which the window may not be too far from.
    """
    try:
        message = parse(body)
        window = decode(message)
    except ValueError as error:
        raise RefusedError(str(error)) from None
    _check_size(window, limits)
    _check_texts(window, limits)
    _check_time(window, now_ns, limits)
    _check_counts(window)
    return FlowPush(message, window)


def _check_size(window: FlowWindow, limits: Limits) -> None:
    for what in ("flows", "processes", "strings", "losses"):
        count, limit = len(getattr(window, what)), getattr(limits, what)
        if count > limit:
            raise TooLargeError(f"push has {count:,} {what}, which is more than {limit:,}")


def _check_texts(window: FlowWindow, limits: Limits) -> None:
    if not 0 < len(window.id) <= limits.id_length:
        raise RefusedError(f"its ID is empty, or longer than {limits.id_length}")
    longest = max(map(len, (window.node, *window.strings, *window.losses)))
    if longest > limits.label_value:
        raise RefusedError(f"a text is longer than {limits.label_value}")


def _check_time(window: FlowWindow, now_ns: int, limits: Limits) -> None:
    ahead_s = (window.start_ns - now_ns) / 1e9
    if ahead_s > limits.future_s:
        raise TimeError(f"its window is {ahead_s:.0f} s ahead of the collector's clock")
    if ahead_s < -limits.past_s:
        raise TimeError(f"its window began {-ahead_s:.0f} s ago, which is too old")
    length_s = (window.end_ns - window.start_ns) / 1e9
    if not 0 <= length_s <= limits.window_s:
        raise TimeError(f"its window is {length_s:.0f} s long, which is not 0 to {limits.window_s}")


def _check_counts(window: FlowWindow) -> None:
    for name in COUNTS:
        values = window.flows[name]
        if np.abs(values.astype(float)).sum() > _MAX_SUM:
            raise RefusedError(f"values of flows.{name} are too large")
