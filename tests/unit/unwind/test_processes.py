"""Lists of mappings that are too long, maps that are full, numbers that are used again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ebprof._native import lib
from ebprof.procfs.maps import MapsEntry
from ebprof.unwind import lists as lists_module
from tests.unit.unwind.test_upkeep import smallest_library
from tests.unit.unwind.world import PID, World

ANONYMOUS = 0x10_0000_0000


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    made = World(monkeypatch, tmp_path, smallest_library())
    yield made
    made.end_of_programs()
    made.objects.close()


def anonymous(count: int, start: int = ANONYMOUS) -> list[MapsEntry]:
    """So many pieces of JIT memory, apart from each other."""
    return [
        MapsEntry(at, at + 0x1000, 0, 0, 0, "", True, False)
        for at in range(start, start + count * 0x2000, 0x2000)
    ]


def test_of_a_list_that_is_too_long_the_objects_are_known(world: World) -> None:
    file = world.file()
    entries = [*anonymous(lib.MAX_MAPPINGS), file.entry]
    world.processes.extend(PID, entries, is_current=True)
    assert len(world.rows(PID)) == lib.MAX_MAPPINGS
    assert world.unwinds(PID, file) == "absent"
    assert world.processes.cut == 1
    starts = world.rows(PID)["start"]
    assert (starts[1:] > starts[:-1]).all()


def test_the_longest_list_is_not_cut(world: World) -> None:
    world.processes.extend(PID, anonymous(lib.MAX_MAPPINGS), is_current=True)
    assert len(world.rows(PID)) == lib.MAX_MAPPINGS
    assert world.processes.cut == 0


def test_lists_that_find_no_room_are_counted_and_the_old_one_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.lists._heap._limit = 1
    most = lib.SHARD_WORDS // lib.MAPPING_WORDS // lib.MAX_MAPPINGS
    for number in range(most + 2):
        world.processes.extend(PID + number, anonymous(lib.MAX_MAPPINGS), is_current=True)
    assert world.processes.cut == 2
    assert len(world.processes.pids()) == most
    world.processes.extend(PID, anonymous(lib.MAX_MAPPINGS, 2 * ANONYMOUS), is_current=True)
    assert world.rows(PID)["start"][0] == ANONYMOUS
    world.processes.exited(PID + 1)
    assert world.lists.take_back()
    world.processes.extend(PID, anonymous(1, ANONYMOUS // 2), is_current=True)
    assert world.rows(PID)["start"][0] == ANONYMOUS // 2


def test_a_process_that_does_not_fit_into_the_map_is_known_here(world: World) -> None:
    file = world.file()
    world.map.room = 1
    for pid in (PID, PID + 1):
        world.start(pid, file)
    assert set(world.map) == {PID}
    assert world.processes.entry(PID + 1)["count"][0] > 0
    assert world.processes.left_out == 1
    world.processes.exited(PID)
    world.processes.missed(PID + 1, world.clock.monotonic_ns() + 1)
    assert world.unwinds(PID + 1, file) == file.cfa_offset


def test_a_number_that_is_used_again_starts_with_nothing_of_the_one_before(world: World) -> None:
    """Its end was not reported."""
    file = world.file()
    world.start(PID, file)
    world.clock.now += 1
    world.processes.forked(PID, PID + 1, world.clock.monotonic_ns())
    assert PID not in world.processes and PID not in world.map


def test_a_child_that_was_read_before_its_start_was_reported_stays_known(world: World) -> None:
    file = world.file()
    born = world.clock.monotonic_ns()
    world.clock.now += 1
    world.start(PID, file)
    world.processes.forked(PID, PID + 1, born)
    assert world.unwinds(PID, file) == file.cfa_offset


def test_children_follow_their_parents_tables(world: World) -> None:
    """They share its list, and are told when a table of it is taken away."""
    file = world.file()
    world.start(PID, file)
    world.map[PID + 1] = world.map[PID].copy()  # what the BPF side does at a fork
    world.processes.forked(PID + 1, PID, world.clock.monotonic_ns())
    assert world.objects.evict(world.object(file))
    world.processes.update_objects({world.object(file).number})
    assert [world.unwinds(pid, file) for pid in (PID, PID + 1)] == ["absent", "absent"]
    assert world.object(file).users == 1
    assert world.room.take_back()
    world.processes.complete(PID + 1)
    assert [world.unwinds(pid, file) for pid in (PID, PID + 1)] == [8, 8]


def test_what_is_not_current_is_not_told(world: World) -> None:
    """A process executed another program since; what it had is for samples of before."""
    file = world.file()
    world.processes.extend(PID, [file.entry], is_current=False)
    world.processes.update_objects({world.object(file).number})
    assert PID not in world.map


def test_a_list_that_does_not_come_free_is_kept(world: World) -> None:
    """Some process has it at each search, as if it forked all the time."""
    old, new = world.file(), world.file()
    world.start(PID, old)
    outdated = world.map[PID].copy()
    world.start(PID, new)
    numbers = iter(range(PID + 1, PID + 1000))
    world.source.on_wait = lambda: world.map.__setitem__(next(numbers), outdated.copy())
    assert not world.lists.take_back()
    assert world.source.waits == lists_module.MOST_SEARCHES
    assert world.lists.has_replaced
    world.source.on_wait = lambda: None
    assert world.lists.take_back()
    assert not world.lists.has_replaced
