"""Events and their limits; nothing here needs root."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

import pytest

from ebprof.bpf import events
from ebprof.bpf.events import CPU_CLOCK, CYCLES, Rate, Scope
from ebprof.errors import (
    EbprofError,
    NoPermissionError,
    NoTargetError,
    UnsupportedError,
    UsageError,
)


def test_a_frequency_above_the_limit_names_the_limit() -> None:
    limit = int(events.MAX_RATE.read_text())
    events.check_frequency(limit)
    with pytest.raises(UsageError, match=str(limit)):
        events.check_frequency(limit + 1)


def test_a_thread_that_is_gone() -> None:
    with pytest.raises(NoTargetError, match="4194305"):
        events.open_event(CPU_CLOCK, Rate(99), Scope(pid=4194305))


def test_a_cgroup_without_perf_events_says_what_to_enable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "lib", Refusing(errno.ENOENT))
    with pytest.raises(UnsupportedError) as caught:
        events.open_event(CPU_CLOCK, Rate(99), Scope(cpu=0, cgroup=3))
    assert "cgroup.subtree_control" in caught.value.hint


@dataclass(frozen=True, slots=True)
class Refusing:
    """Stands for the native module of a kernel that refuses every event."""

    errno: int

    def event_open(self, request: object) -> int:
        return -self.errno


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.EACCES, NoPermissionError),
        (errno.EPERM, NoPermissionError),
        (errno.EMFILE, UnsupportedError),
        (errno.EBUSY, UnsupportedError),
    ],
)
def test_a_refusal_does_not_mean_that_the_machine_does_not_count(
    code: int, error: type[EbprofError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "lib", Refusing(code))
    with pytest.raises(error):
        events.is_supported(CYCLES)


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL])
def test_what_the_machine_does_not_count(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "lib", Refusing(code))
    assert not events.is_supported(CYCLES)


@pytest.mark.parametrize("text", [None, "", "many"])
def test_a_limit_that_cannot_be_read_limits_nothing(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MAX_RATE", tmp_path / "rate")
    if text is not None:
        events.MAX_RATE.write_text(text)
    events.check_frequency(1 << 40)
