"""Increments of a run get names; here by the stand-ins of the resolver's own tests."""

from __future__ import annotations

import pytest

from ebprof.identity.sightings import Sightings
from ebprof.model import CONTAINER, Sample, Samples, text_of
from ebprof.procfs import process
from ebprof.sampling.naming import Namer
from ebprof.walls import Walls
from tests.unit.sampling.test_resolve import World, frames, in_object, key

CONTAINER_ID = "ab" * 32


class Run:
    """A namer over a store into which a test counts."""

    def __init__(self) -> None:
        self.world = World()
        self.sightings = Sightings(Walls())
        self.namer = Namer(self.world.resolver, self.sightings)

    def count(self, pid: int, user: int, kernel: int = 0, count: int = 1) -> None:
        self.world.store.count(key(pid, user, kernel), frames(count))

    def see(self, pid: int, user: int, comm: bytes) -> None:
        self.world.store._counts.see(key(pid, user)[0], comm)

    def take(self) -> Samples:
        return self.namer.samples(self.world.store.take_counts())


def names(sample: Sample) -> list[str]:
    return [one.frames[0].function for one in sample.locations]


def test_each_sample_is_taken_once() -> None:
    run = Run()
    run.world.store.user[5] = frames(in_object(1, 0x10), in_object(2, 0x20))
    run.count(1, 5, count=3)
    (sample,) = run.take()
    assert (sample.pid, names(sample), sample.count) == (1, ["a.out@10", "libc@20"], 3)
    assert len(run.take()) == 0
    run.count(1, 5, count=2)
    assert [one.count for one in run.take()] == [2]


def test_a_sample_of_a_container_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    places = {1: f"/docker/{CONTAINER_ID}", 2: "/"}
    monkeypatch.setattr(process, "cgroups", lambda pid: f"0::{places[pid]}\n".encode())
    run.sightings.see([1, 2])
    run.count(1, 5, count=3)
    run.count(2, 5, count=2)
    run.count(1, 6, count=1)
    found = {(one.pid, text_of(CONTAINER, one.labels)) for one in run.take()}
    assert found == {(1, CONTAINER_ID), (2, "")}


def test_equal_stacks_have_one_number() -> None:
    run = Run()
    run.world.store.user[5] = frames(in_object(1, 0x10))
    run.world.store.kernel[6] = frames(0xFFFF0010)
    run.count(1, 5, 6)
    run.count(2, 5, 6)
    both = run.take()
    run.count(3, 5, 6)
    third = run.take()
    assert len({*both.rows["stack"].tolist(), *third.rows["stack"].tolist()}) == 1
    assert both.tables.lineage is third.tables.lineage
    assert names(third[0]) == ["[kernel.kallsyms]@ffff0010", "a.out@10"]


def test_a_stack_that_never_came_is_empty() -> None:
    run = Run()
    run.count(1, 5)
    assert run.take()[0].locations == ()
    run.world.store.user[5] = frames(in_object(1, 0x10))
    run.count(1, 5)
    assert names(run.take()[0]) == ["a.out@10"]


def test_names_of_threads_may_come_before_their_counts() -> None:
    run = Run()
    run.world.store.user[5] = frames(in_object(1, 0x10))
    run.see(1, 5, b"worker")
    assert len(run.take()) == 0
    run.count(1, 5)
    assert run.take()[0].comm == "worker"


def test_a_name_that_a_jit_wrote_late_is_found() -> None:
    run = Run()
    run.world.symbolizer.has_perf_map = ()
    run.world.store.user[5] = frames(0x7000, in_object(1, 0x10))
    run.count(1, 5)
    assert names(run.take()[0]) == ["//anon@7000", "a.out@10"]
    run.world.symbolizer.has_perf_map = (1,)
    run.count(1, 5)
    run.count(2, 5)
    samples = run.take()
    by_pid = {one.pid: one for one in samples}
    assert names(by_pid[1]) == ["jit-1@7000", "a.out@10"]
    assert names(by_pid[2]) == ["//anon@7000", "a.out@10"]
    run.count(1, 5)
    assert run.take().rows["stack"][0] in samples.rows["stack"]
