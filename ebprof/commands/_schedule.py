"""INTERVAL, COUNT and -d of the commands that report while they run."""

from __future__ import annotations

import os
import sys

from ebprof.commands._values import parse_duration, parse_numbers
from ebprof.errors import UsageError
from ebprof.watch.loop import Schedule

LEAST_INTERVAL_S = 0.1


def parse_schedule(
    interval: str | None, count: str | None, duration_s: float | None, *, top: bool = False
) -> Schedule:
    """One report at the end where there is a duration and no interval, unless a live table was
    asked for (top); raises UsageError.
    """
    interval_s = None if interval is None else _interval(interval)
    if interval_s is None and (duration_s is None or top):
        interval_s = 1.0
    return Schedule(interval_s, _count(count), duration_s)


def is_live(schedule: Schedule, *, top: bool = False, as_json: bool = False) -> bool:
    """Whether to show a live table: on a terminal, unless something else was asked for.

    top: a live table was asked for; raises UsageError where that cannot be.
    """
    if top and as_json:
        raise UsageError("--top and --json exclude each other", "choose one")
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM") not in ("", "dumb", None)
    if top and not is_terminal:
        raise UsageError("--top needs a terminal", "leave it out to write text into a pipe")
    return is_terminal and not as_json and schedule.interval_s is not None


def _interval(text: str) -> float:
    interval_s = parse_duration(text, "INTERVAL")
    if interval_s < LEAST_INTERVAL_S:
        raise UsageError(f"INTERVAL {text} is too short", f"the least is {LEAST_INTERVAL_S} s")
    return interval_s


def _count(text: str | None) -> int | None:
    if text is None:
        return None
    numbers = parse_numbers([text], "COUNT")
    if len(numbers) != 1:
        raise UsageError(f"cannot read COUNT {text!r}", "write it like 10")
    return numbers[0]
