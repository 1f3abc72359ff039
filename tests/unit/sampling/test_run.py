"""A run over a machine without a kernel: every sample once, under its right name, for ever."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial

import pytest

from ebprof.sampling import held as held_module
from ebprof.sampling import retention as retention_module
from ebprof.sampling import tracker as tracker_module
from ebprof.sampling.run import SamplingRun
from ebprof.sampling.windows import Window
from ebprof.unwind import objects as objects_module
from ebprof.unwind import upkeep as upkeep_module
from tests.sizes import size_of
from tests.slow import IS_SLOW
from tests.unit.sampling.simulated import CODE, JIT, PID, SIZE, Machine

FILES, PROCESSES, NUMBERS = (200_000, 1_000_000, 65_535) if IS_SLOW else (1_000, 4_000, 250)
WINDOW = 200
"""Processes in a window."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def wait_for(event: threading.Event) -> None:
    event.wait()


def settle(run: SamplingRun) -> None:
    """Wait until all is looked up that was sampled."""
    done = threading.Event()
    run._intake._resolver.then(done.set)
    assert done.wait(10)


def named(run: SamplingRun) -> Iterator[Window]:
    """Windows that were taken, once they have names."""
    while run.is_waiting:
        yield from run.named(1.0)


def check(windows: Iterable[Window], *, unnamed: bool = False) -> Counter[str]:
    """Counts by name. That of the thread is that of the file that the sample is in; unnamed: a file
    may have had no number.
    """
    found: Counter[str] = Counter()
    for window in windows:
        for sample in window.samples:
            (name,) = [one.frames[0].function for one in sample.locations]
            assert name == sample.comm or (unnamed and name == "?")
            found[name] += sample.count
    return found


def test_what_is_sampled_is_in_the_window_of_its_time(machine: Machine) -> None:
    with machine.run() as run:
        run.start()
        machine.execute(PID, 7)
        machine.sample(PID)  # is not known yet: sent to user space
        machine.clock.now += 1
        run.tend()
        machine.sample(PID)  # is unwound by the tables
        run.take()
        first = check(named(run))
        machine.sample(PID)
        machine.sample(PID)
        run.stop()
        assert (first, check(run.finish())) == ({"f7": 2}, {"f7": 2})
        assert machine.session.deferred == 1 and machine.is_stopped
        assert run.accounts.figures().stops == {"complete": 4}
        assert run.accounts.statistics(4, 1.0, 0.0).subject.samples.lost == 0


def test_what_is_mapped_when_a_process_is_read_was_not_always_there(machine: Machine) -> None:
    """Samples are older than what /proc says, and another file was there when they were taken."""
    with machine.run() as run:
        run.start()
        machine.is_there(PID, 1)
        machine.sample(PID)
        machine.map(PID, 2)
        machine.sample(PID)
        machine.map(PID, 3)
        machine.sample(PID)
        machine.sample(PID)
        machine.clock.now += 1
        for _ in range(2):
            run.tend()
            machine.clock.now += 1
        machine.sample(PID)
        run.stop()
        found = check(run.finish(), unnamed=True)
        assert found == {"?": 2, "f3": 3}
        assert machine.session.deferred == 4
        assert run.accounts.figures().stops == {"no_table_yet": 2, "complete": 3}


@pytest.mark.parametrize("names", [(1, 2), (1, 2, 1)])
def test_what_happens_to_a_process_after_it_was_read(
    machine: Machine, names: tuple[int, ...]
) -> None:
    """It maps another file before what was read counts."""
    with machine.run() as run:
        run.start()
        machine.is_there(PID, names[0])
        machine.sample(PID)
        machine.clock.now += 1
        run.tend()
        for name in names[1:]:
            machine.map(PID, name)
            machine.sample(PID)
        machine.clock.now += 1
        run.tend()
        run.stop()
        assert check(run.finish()) == Counter(f"f{name}" for name in names)


@pytest.mark.parametrize("is_over", [False, True])
def test_samples_wait_for_a_process_that_is_not_to_be_read_yet(
    machine: Machine, is_over: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes long to read, so it is read seldom; is_over: the run ends meanwhile."""
    monkeypatch.setattr(tracker_module, "time", machine.clock)
    machine.lag_s = 0.1
    with machine.run() as run:
        run.start()
        machine.is_there(PID, 1)
        machine.moved[PID] = [CODE + SIZE]
        for number in range(1, 5):
            machine.sample(PID, CODE + number * SIZE)
            machine.clock.now += 0.05
            run.tend()
            machine.moved[PID].append(CODE + (number + 1) * SIZE)
        assert run.accounts.figures().stops == {"complete": 2}
        if not is_over:
            machine.clock.now += 10
            run.tend()
            machine.clock.now += 0.1
            run.tend()
            assert run.accounts.figures().stops == {"complete": 4}
        run.stop()
        assert check(run.finish()) == {"f1": 4}


def test_few_samples_wait(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no room is counted by what is known."""
    monkeypatch.setattr(held_module, "MOST_BYTES", 10_000)
    with machine.run() as run:
        run.start()
        machine.is_there(PID, 1)
        for _ in range(10):
            machine.sample(PID)
        machine.clock.now += 1
        run.tend()
        run.stop()
        found = check(run.finish(), unnamed=True)
        assert sum(found.values()) == 10 and 0 < found["f1"] < 10


def test_a_process_that_ends_before_it_is_read_has_samples(machine: Machine) -> None:
    with machine.run() as run:
        run.start()
        machine.is_there(PID, 1)
        machine.sample(PID)
        machine.sample(PID)
        machine.exit(PID)
        machine.clock.now += 1
        run.tend()
        run.stop()
        assert check(run.finish(), unnamed=True) == {"?": 2}


def test_samples_that_nobody_took_are_in_the_last_window(machine: Machine) -> None:
    with machine.run() as run:
        run.start()
        for _ in machine.live(30, lambda number: number % 3):
            run.tend()
        run.stop()
        assert sum(check(run.finish()).values()) == 60


def test_news_that_will_not_wait_are_told_from_others(machine: Machine) -> None:
    with machine.run() as run:
        run.start()
        machine.execute(PID, 7)
        run.tend()
        machine.sample(PID)  # a new stack: the ring's descriptor stays as it was
        assert not run.tend()
        os.eventfd_write(machine.session.fd, 1)
        assert run.tend()


def test_a_window_without_samples_is_one(machine: Machine) -> None:
    with machine.run() as run:
        run.start()
        run.take()
        (window,) = named(run)
        assert len(window.samples) == 0 and window.end >= window.start


def test_names_of_a_process_that_is_gone_are_not_those_of_the_next_of_its_number(
    machine: Machine,
) -> None:
    with machine.run() as run:
        run.start()
        for name in ("old", "new"):
            machine.execute(PID, 1)
            machine.map_jit(PID)
            machine.symbols.jit[PID] = machine.alive[PID] = name
            machine.sample(PID, JIT)
            machine.clock.now += 1
            run.tend()
            machine.exit(PID)
            machine.clock.now += 1
            run.tend()
            settle(run)
        run.stop()
        assert check([*named(run), *run.finish()]) == {"old": 1, "new": 1}


@pytest.fixture
def few_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are numbers for 16 files."""
    monkeypatch.setattr(upkeep_module, "MAX_UNUSED", 1)
    monkeypatch.setattr(objects_module, "MAX_OBJECTS", 16)


def run_one(machine: Machine, run: SamplingRun, file: int) -> None:
    """A process runs a file, is sampled twice, and is gone."""
    machine.execute(PID + file, file)
    machine.sample(PID + file)
    run.tend()
    machine.sample(PID + file)
    machine.exit(PID + file)
    machine.clock.now += 2
    run.tend()


@pytest.mark.usefixtures("few_numbers")
def test_numbers_of_files_are_used_again(machine: Machine) -> None:
    with machine.run() as run:
        run.start()
        for file in range(100):
            run_one(machine, run, file)
            settle(run)
        run.stop()
        found = check(run.finish())
    assert found == {f"f{file}": 2 for file in range(100)}
    assert run.accounts.counters() == {}


@pytest.mark.usefixtures("few_numbers")
def test_a_file_has_no_number_as_long_as_stacks_that_have_it_wait_for_names(
    machine: Machine,
) -> None:
    """The thread that makes names hangs meanwhile: a window is named later by what it was then."""
    hangs = threading.Event()
    with machine.run() as run:
        run.start()
        for file in range(60):
            if file == 20:
                run._intake._resolver.then(partial(wait_for, hangs))
            if file == 40:
                hangs.set()
            run_one(machine, run, file)
            if not 20 <= file < 40:
                settle(run)
        run.stop()
        found = check(run.finish(), unnamed=True)
    assert found["?"] > 0 and run.accounts.counters()["files_full"] > 0
    assert sum(found.values()) == 120
    assert all(found[f"f{file}"] == 2 for file in (*range(20), *range(50, 60)))


def test_a_run_of_weeks(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """More files and processes than there are numbers for; memory has an end.

    With EBPROF_SLOW=1 a million processes run 200,000 files, and numbers are as many as in the
    kernel.
    """
    monkeypatch.setattr(objects_module, "MAX_OBJECTS", NUMBERS)
    monkeypatch.setattr(upkeep_module, "MAX_UNUSED", 64)
    monkeypatch.setattr(retention_module, "KEPT_WINDOWS", 4)
    each = PROCESSES // FILES
    sizes: list[int] = []
    samples = 0

    def file_of(number: int) -> int:
        earlier = machine.random.randrange(5) if number % each else 0
        return max(0, number // each - earlier)

    with machine.run() as run:
        run.start()
        for step, _ in enumerate(machine.live(PROCESSES, file_of), 1):
            if step % 25 == 0:
                run.tend()
            if step % WINDOW == 0:
                run.take()
                samples += sum(check(named(run)).values())
            if step % (PROCESSES // 10) == 0:
                sizes.append(size_of(run))
        run.stop()
        samples += sum(check(run.finish()).values())
        assert run.accounts.counters() == {}
    assert samples == 2 * PROCESSES
    assert machine.opened >= FILES > NUMBERS
    assert max(sizes[5:]) < 1.2 * max(sizes[2:5]), sizes
