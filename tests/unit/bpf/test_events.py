"""Events and their limits; nothing here needs root."""

from __future__ import annotations

import pytest

from ebprof.bpf import events
from ebprof.bpf.events import CPU_CLOCK, Scope
from ebprof.errors import NoTargetError, UsageError


def test_an_unknown_event_names_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        events.choose_event("page-flips")
    assert "cpu-clock" in caught.value.hint


def test_cpu_is_an_event_that_this_machine_has() -> None:
    assert events.is_supported(events.choose_event("cpu"))


def test_a_frequency_above_the_limit_names_the_limit() -> None:
    limit = int(events.MAX_RATE.read_text())
    events.check_frequency(limit)
    with pytest.raises(UsageError, match=str(limit)):
        events.check_frequency(limit + 1)


def test_a_thread_that_is_gone() -> None:
    with pytest.raises(NoTargetError, match="4194305"):
        events.open_event(CPU_CLOCK, 99, Scope(pid=4194305))
