"""Which event a name means, how often it is sampled and what a sample stands for."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from ebprof.bpf import events
from ebprof.bpf.events import CPU_CLOCK, CYCLES, Rate
from ebprof.errors import UnsupportedError, UsageError
from ebprof.events import Event, EventKind, Processes, choose, function, listing, perf, tracepoint
from ebprof.events.perf import PerfEvent
from ebprof.events.tracepoint import Tracepoint
from ebprof.procfs import kernelfs
from ebprof.procfs.kernelfs import FileSystem
from tests.kernel_files import kernel_files

EVERYONE = Processes()
FAULTS = PerfEvent(events.Event("page-faults", events.PERF_TYPE_SOFTWARE, 2))
MISSES = PerfEvent(events.Event("cache-misses", events.PERF_TYPE_HARDWARE, 3))
SWITCH = Tracepoint("sched:sched_switch", 1)


def test_an_unknown_event_names_one_like_it() -> None:
    with pytest.raises(UsageError) as caught:
        choose("page-flips", EVERYONE)
    assert "page-faults" in caught.value.hint


def test_cpu_is_an_event_that_this_machine_has() -> None:
    assert choose("cpu", EVERYONE).name in ("cycles", "cpu-clock")


@pytest.mark.parametrize(("short", "name"), [("cs", "context-switches"), ("faults", "page-faults")])
def test_short_names_are_perfs(short: str, name: str) -> None:
    assert choose(short, EVERYONE).name == name


@pytest.mark.parametrize("kind", [perf, tracepoint, function])
def test_our_kinds_follow_the_protocol(kind: object) -> None:
    assert isinstance(kind, EventKind)


@pytest.mark.parametrize("event", [PerfEvent(CPU_CLOCK), SWITCH, function.UserFunction("f", ())])
def test_our_events_follow_the_protocol(event: object) -> None:
    assert isinstance(event, Event)


def test_each_listed_perf_event_is_known_by_its_name() -> None:
    names = [name for name, _ in perf.known()]
    assert len(set(names)) == len(names)
    for name in names:
        try:
            found = perf.find(name, EVERYONE)
        except UnsupportedError:
            continue
        assert found is not None


@pytest.mark.parametrize(
    ("event", "frequency", "period", "rate", "weight"),
    [
        (PerfEvent(CPU_CLOCK), None, None, Rate(99, 0), ("nanoseconds", 10101010)),
        (PerfEvent(CPU_CLOCK), None, 5000, Rate(0, 5000), ("nanoseconds", 5000)),
        (PerfEvent(CYCLES), 100, None, Rate(100, 0), ("nanoseconds", 10000000)),
        (PerfEvent(CYCLES), None, 1000, Rate(0, 1000), ("count", 1000)),
        (MISSES, None, None, Rate(99, 0), ("count", 0)),
        (FAULTS, None, None, Rate(0, 1), ("count", 1)),
        (FAULTS, 50, None, Rate(50, 0), ("count", 0)),
        (SWITCH, None, None, Rate(0, 1), ("count", 1)),
        (SWITCH, None, 7, Rate(0, 7), ("count", 7)),
    ],
)
def test_how_often_and_what_a_sample_stands_for(
    event: Event, frequency: int | None, period: int | None, rate: Rate, weight: tuple[str, int]
) -> None:
    assert event.rate(frequency, period) == rate
    assert event.weight(rate) == weight


def test_a_tracepoint_has_no_frequency() -> None:
    with pytest.raises(UsageError, match="has no frequency"):
        SWITCH.rate(99, None)


def test_what_tracefs_lists_is_an_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_files(monkeypatch, tmp_path)
    (tmp_path / "events/acme/hit").mkdir(parents=True)
    (tmp_path / "events/acme/hit/id").write_text("1234\n")
    (tmp_path / "available_events").write_text("acme:hit\n")
    assert tracepoint.number_of("acme:hit") == 1234
    assert ("acme:hit", "tracepoint") in listing()
    with pytest.raises(UsageError, match="unknown event 'acme:miss'") as caught:
        choose("acme:miss", EVERYONE)
    assert "acme:hit" in caught.value.hint


def test_a_tracefs_that_lists_nothing_does_not_mean_that_there_is_no_such_tracepoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel_files(monkeypatch, tmp_path)
    with pytest.raises(UnsupportedError, match="tracefs lists no tracepoints") as caught:
        choose("sched:sched_switch", EVERYONE)
    assert "lockdown" in caught.value.hint


def test_a_tracefs_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(system: FileSystem) -> NoReturn:
        raise UnsupportedError(f"{system.name} cannot be had")

    monkeypatch.setattr(kernelfs, "opened", opened)
    with pytest.raises(UnsupportedError, match="switch: tracefs cannot be had") as caught:
        choose("sched:sched_switch", EVERYONE)
    assert "root" in caught.value.hint
    listed = dict(listing())
    assert "page-faults" in listed
    assert "tracefs cannot be had" in listed["group:name"]


def test_a_tracefs_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_files(monkeypatch, tmp_path)
    (tmp_path / "events").touch()  # no directory: ENOTDIR
    with pytest.raises(UnsupportedError, match="cannot read events/sched/sched_switch/id"):
        choose("sched:sched_switch", EVERYONE)
