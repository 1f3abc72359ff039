"""Tables within their memory: who goes, who comes back, and that nobody gets another's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ebprof._native import lib
from ebprof.procfs.maps import read_maps
from ebprof.unwind import objects as objects_module
from ebprof.unwind import upkeep as upkeep_module
from ebprof.unwind.objects import DEAR_BYTES, DEAR_BYTES_PER_S, RETRY_S
from ebprof.unwind.upkeep import RECENT_S, SEARCH_S, TURN_S
from tests.unit.unwind.world import PID, WORDS_A_ROW, File, World

HALF = int(lib.SHARD_WORDS / 2 / WORDS_A_ROW * 0.98)
"""Rows of a table that takes nearly half a shard."""

MakeWorld = Callable[..., World]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MakeWorld]:
    """Makes a world."""
    made: list[World] = []

    def make(**options: Any) -> World:
        made.append(World(monkeypatch, tmp_path, smallest_library(), **options))
        return made[-1]

    yield make
    for one in made:
        one.end_of_programs()
        one.objects.close()


def smallest_library() -> Path:
    paths = {Path(entry.path) for entry in read_maps(os.getpid()) if ".so" in entry.path}
    return min(paths, key=lambda path: path.stat().st_size)


def test_a_table_of_its_own(world: MakeWorld) -> None:
    made = world()
    files = [made.file(), made.file()]
    made.start(PID, *files)
    assert [made.unwinds(PID, file) for file in files] == [8, 16]


def test_what_nobody_uses_makes_room_first_the_oldest(world: MakeWorld) -> None:
    made = world()
    files = [made.file(HALF) for _ in range(4)]
    for number, file in enumerate(files):
        made.start(PID + number, file)
        made.clock.now += 1
    for number in (2, 1, 0):
        made.processes.exited(PID + number)
        made.clock.now += 1
    new = made.file(HALF // 2)
    made.start(PID + 9, new)
    assert made.unwinds(PID + 9, new) == new.cfa_offset
    assert [made.object(file).is_absent for file in files] == [False, True, True, False]
    assert made.upkeep.evicted == 0
    made.check()


def test_room_is_kept_for_what_comes(world: MakeWorld) -> None:
    made = world()
    for number in range(4):
        made.start(PID + number, made.file(HALF))
        made.processes.exited(PID + number)
    made.pass_time(TURN_S)
    new = made.file(HALF // 2)
    made.start(PID + 9, new)
    assert made.unwinds(PID + 9, new) == new.cfa_offset


def test_a_table_in_use_that_no_sample_met_makes_room_and_comes_back(world: MakeWorld) -> None:
    made = world()
    files = [made.file(HALF) for _ in range(4)]
    made.start(PID, *files)
    new = made.file(HALF)
    made.start(PID + 1, new)
    made.used = {made.object(files[n]).number for n in (0, 2, 3)}
    made.pass_time(RECENT_S + 1)
    assert made.unwinds(PID + 1, new) == new.cfa_offset
    assert [made.unwinds(PID, file) for file in files] == [8, "absent", 24, 32]
    assert made.upkeep.evicted == 1
    # A sample meets it again, but there is no room at once.
    number = made.object(files[1]).number
    assert made.processes.restore([number])
    assert made.unwinds(PID, files[1]) == "no room"
    assert not made.processes.restore([number]), "there is no use in trying with each sample"
    made.processes.exited(PID + 1)
    made.pass_time(RECENT_S + 1)
    assert [made.unwinds(PID, file) for file in files] == [8, 16, 24, 32]


def test_a_program_that_found_no_room_finds_it_when_it_runs_again(world: MakeWorld) -> None:
    made = world()
    for number in range(4):
        made.start(PID + number, made.file(HALF))
    new = made.file(HALF)
    made.start(PID + 8, new)
    assert made.unwinds(PID + 8, new) == "no room"
    for number in range(4):
        made.processes.exited(PID + number)
    made.start(PID + 9, new)
    assert made.unwinds(PID + 9, new) == "no room", "tried a moment ago"
    made.clock.now += RETRY_S
    made.processes.extend(PID + 10, [new.entry], is_current=True)
    assert made.unwinds(PID + 10, new) == "absent", "made when a sample meets it"
    assert made.unwinds(PID + 8, new) == "no room"
    made.pass_time(TURN_S)
    assert made.unwinds(PID + 8, new) == "absent"
    made.processes.complete(PID + 10)
    assert made.unwinds(PID + 8, new) == made.unwinds(PID + 10, new) == new.cfa_offset
    assert made.objects.no_room == 1
    made.check()


def test_what_samples_met_a_moment_ago_stays(world: MakeWorld) -> None:
    made = world()
    files = [made.file(HALF) for _ in range(4)]
    made.start(PID, *files)
    new = made.file(HALF)
    made.start(PID + 1, new)
    made.pass_time(RECENT_S / 2)
    assert made.unwinds(PID + 1, new) == "no room"
    assert [made.unwinds(PID, file) for file in files] == [8, 16, 24, 32]
    assert made.objects.no_room == 1


def test_a_table_that_is_too_large_for_all_the_memory_drives_nobody_out(world: MakeWorld) -> None:
    made = world(limit=1)
    file = made.file(HALF)
    made.start(PID, file)
    new = made.file(3 * HALF)
    made.start(PID + 1, new)
    made.pass_time(RECENT_S + SEARCH_S)
    assert made.unwinds(PID + 1, new) == "no room"
    assert made.unwinds(PID, file) == file.cfa_offset


def test_room_for_a_part_of_a_table_is_no_room(world: MakeWorld) -> None:
    """It would be made again and again, and dropped each time."""
    made = world()
    files = [made.file(HALF // 2), made.file(4 * HALF)]
    made.start(PID, *files)
    made.used = {made.object(files[0]).number}
    for _ in range(5):
        made.pass_time(SEARCH_S)
    assert [made.unwinds(PID, file) for file in files] == [8, "no room"]
    assert len(made.compiled) == 2
    made.used = set()
    made.pass_time(RECENT_S + SEARCH_S)
    assert [made.unwinds(PID, file) for file in files] == ["absent", 16]


def test_a_table_that_is_dear_is_not_made_again_at_once(world: MakeWorld) -> None:
    made = world(unwind_bytes=2 * DEAR_BYTES)
    file = made.file(HALF)
    made.start(PID, file)
    assert made.unwinds(PID, file) == file.cfa_offset
    made.objects.evict(made.object(file))
    number = made.object(file).number
    assert made.processes.restore([number])
    assert made.unwinds(PID, file) == "no room"
    made.pass_time(SEARCH_S)
    assert made.unwinds(PID, file) == "no room"
    assert (len(made.compiled), made.objects.no_room) == (1, 1)
    made.pass_time(made.unwind_bytes / DEAR_BYTES_PER_S)
    assert made.unwinds(PID, file) == file.cfa_offset
    assert len(made.compiled) == 2


def test_a_table_that_is_cheap_is_made_whenever_a_sample_asks_for_it(world: MakeWorld) -> None:
    made = world(unwind_bytes=DEAR_BYTES)
    file = made.file(HALF)
    made.start(PID, file)
    for _ in range(3):
        made.objects.evict(made.object(file))
        assert made.processes.restore([made.object(file).number])
        assert made.unwinds(PID, file) == file.cfa_offset


def test_free_pieces_are_brought_together(world: MakeWorld) -> None:
    made = world()
    small = [made.file(HALF // 5) for _ in range(18)]
    for number, file in enumerate(small):
        made.start(PID + number, file)
    for number in range(0, 18, 2):
        made.processes.exited(PID + number)
    whole = made.file(int(1.7 * HALF))
    made.start(PID + 99, whole)
    assert made.unwinds(PID + 99, whole) == "no room"
    for _ in range(3):
        made.clock.now += RECENT_S
        made.objects.use(made.object(file).number for file in small[1::2])
        made.used = {made.object(file).number for file in small[1::2]}
        made.upkeep.tend()
    assert made.unwinds(PID + 99, whole) == whole.cfa_offset
    assert [made.unwinds(PID + n, small[n]) for n in range(1, 18, 2)] == [
        small[n].cfa_offset for n in range(1, 18, 2)
    ]
    assert made.upkeep.evicted == 0
    made.check()


def test_rules_become_free_with_their_tables(world: MakeWorld) -> None:
    made = world(rules=20)
    made.monkeypatch.setattr(upkeep_module, "MAX_RULES", 20)
    for number in range(100):
        file = made.file()
        made.start(PID + number, file)
        assert made.unwinds(PID + number, file) == file.cfa_offset
        made.processes.exited(PID + number)
        made.pass_time(TURN_S)
    assert made.tables.rules.overflowed == 0
    assert len(made.tables.rules) <= 20


def test_what_nobody_maps_is_closed_the_oldest_first(
    world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "MAX_UNUSED", 3)
    made = world()
    files = [made.file() for _ in range(6)]
    for number, file in enumerate(files):
        made.start(PID + number, file)
        made.processes.exited(PID + number)
        made.clock.now += 1
    made.pass_time(TURN_S)
    assert [one.file.path for one in made.dropped] == [str(file.path) for file in files[:3]]
    assert len(made.objects.all()) == 3


def test_a_number_is_used_again_unless_a_stack_names_it(
    world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "MAX_UNUSED", 0)
    monkeypatch.setattr(objects_module, "MAX_OBJECTS", 4)
    made = world()
    for _ in range(3):
        made.start(PID, made.file())
        made.processes.exited(PID)
    made.pass_time(TURN_S)
    assert [one.number for one in made.dropped] == [1, 2, 3]
    made.sampled.add(2)  # a record with it was on its way
    made.pass_time(TURN_S)
    made.start(PID, *(made.file() for _ in range(3)))
    assert {one.number for one in made.objects.all()} == {1, 3, 4}
    assert sorted(made.released) == [1, 3]


def test_processes_whose_end_was_not_reported_are_found(world: MakeWorld) -> None:
    made = world()
    for pid in (PID, PID + 1):
        made.start(pid, made.file())
    made.processes.settle(PID + 2)
    made.alive = {PID}
    made.pass_time(SEARCH_S)
    assert made.forgotten == set(), "news of its start may be on its way"
    made.pass_time(SEARCH_S)
    assert made.forgotten == {PID + 1, PID + 2}
    assert set(made.map) == {PID}


def test_a_process_that_bpf_programs_alone_know_is_found_too(world: MakeWorld) -> None:
    made = world()
    made.start(PID, made.file())
    made.map[PID + 1] = made.map[PID].copy()  # a fork, of which the report was lost
    for _ in range(2):
        made.pass_time(SEARCH_S)
    assert set(made.map) == {PID}


def test_a_child_that_got_a_list_as_it_was_replaced_is_corrected(world: MakeWorld) -> None:
    """BPF programs copy a parent's entry at any moment, also one that is out of date by then."""
    made = world()
    old, new = made.file(), made.file()
    made.start(PID, old)
    outdated = made.map[PID].copy()
    children = iter(range(PID + 1, PID + 4))

    def fork() -> None:
        made.end_of_programs()
        child = next(children, None)
        if child is not None:
            made.map[child] = outdated.copy()

    made.source.on_wait = fork
    made.start(PID, new)
    made.pass_time(TURN_S)
    made.start(PID + 9, *(made.file() for _ in range(9)))
    assert set(made.map) == {PID, PID + 9}, "children that nobody knows are read when sampled"
    made.check()


@pytest.mark.parametrize("seed", range(6))
def test_nobody_ever_reads_what_is_being_written(world: MakeWorld, seed: int) -> None:
    """Processes come and go, files are met or not, and there is never enough room for all."""
    random = Random(seed)
    made = world()
    made.monkeypatch.setattr(upkeep_module, "MAX_UNUSED", 2)
    files = [made.file(rows) for rows in (*[HALF] * 6, *[HALF // 3] * 4, *[50] * 3)]
    for step in range(150):
        act(made, random, files, step)
        made.used = {random.randrange(1, 30)}
        made.pass_time(random.choice([0.1, 1.0, RECENT_S]))
        made.check()
    told = {made.unwinds(pid, file) for pid in made.map for file in files}
    assert len(told - {"unknown", "absent", "no room"}) > 1
    assert made.upkeep.evicted > 0 and len(made.dropped) > 0


def act(made: World, random: Random, files: list[File], step: int) -> None:
    """Something happens to some process."""
    pid = PID + random.randrange(6)
    kind = random.randrange(5)
    if kind == 0:
        made.processes.exited(pid)
    elif kind == 1:
        if pid in made.map:
            made.map[pid + 10] = made.map[pid].copy()
        made.processes.forked(pid + 10, pid, made.clock.monotonic_ns())
    elif kind == 2:
        made.processes.complete(pid)
    else:
        made.start(pid, *random.sample(files, random.randrange(1, 4)))
