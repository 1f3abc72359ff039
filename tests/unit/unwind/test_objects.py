"""Files behind mappings: opened once, and those that cannot be used are counted."""

from __future__ import annotations

import mmap
import os
import resource
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from ebprof.elf import ObjectFile
from ebprof.errors import NoPermissionError
from ebprof.procfs.maps import MapsEntry, read_maps
from ebprof.unwind import objects as objects_module
from ebprof.unwind.object import UnwindObject
from ebprof.unwind.objects import ObjectStore
from tests import targets
from tests.unit.unwind.fakes import room, table_store

GONE = 1 << 22  # no process has this number


def store(limit: int = 8, **options: Any) -> ObjectStore:
    """A store whose tables may take so many shards."""
    return ObjectStore(room(limit), **options)


@pytest.fixture
def objects() -> Iterator[ObjectStore]:
    made = store()
    yield made
    made.close()


def library() -> MapsEntry:
    """libc, as this process has it mapped."""
    return next(entry for entry in read_maps(os.getpid()) if "libc.so" in entry.path)


def with_tables(objects: ObjectStore, entries: Iterable[MapsEntry]) -> list[UnwindObject]:
    """What is behind mappings of this process; their tables were asked for."""
    found = [objects.of(os.getpid(), entry) for entry in entries]
    known = [one for one in found if one is not None]
    for one in known:
        objects.restore(one)
    return known


def mapping_of(path: Path) -> MapsEntry:
    """A mapping of a file, in a process that is gone."""
    info = path.stat()
    return MapsEntry(0x1000, 0x2000, 0, info.st_dev, info.st_ino, str(path), True, False)


def test_a_file_is_opened_once(objects: ObjectStore) -> None:
    found = objects.of(os.getpid(), library())
    assert found is not None and found.table is None and found.is_absent, "nobody asked for it"
    assert objects.restore(found) and found.table is not None
    assert objects.of(os.getpid(), library()) is found
    assert objects.by_name([os.getpid()], library()) is found
    assert objects.all() == [found]
    assert objects.unreadable == 0


@pytest.fixture(scope="module")
def stripped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A program that only its debug file says how to unwind, and that file."""
    directory = tmp_path_factory.mktemp("stripped")
    program, debug = directory / "split", directory / "split.debug"
    shutil.copy(targets.build("split", "debug_frame"), program)
    subprocess.run(["objcopy", "--only-keep-debug", program, debug], check=True)
    subprocess.run(["strip", program], check=True)
    return program, debug


def rows_of(program: Path, debug: Path | None) -> int:
    """How many rows a program has with a debug file."""
    made = store(find_debug_file=lambda _: FileIO(debug) if debug else None)
    found = made.by_name([os.getpid()], mapping_of(program))
    assert found is not None and made.restore(found)
    made.close()
    assert found.table is not None and not found.failure
    return found.table.rows


def test_rows_of_a_separate_debug_file(stripped: tuple[Path, Path], tmp_path: Path) -> None:
    program, debug = stripped
    bad = tmp_path / "bad.debug"
    bad.write_bytes(debug.read_bytes()[:5000])
    without = rows_of(program, None)
    assert rows_of(program, debug) > without + 10
    assert rows_of(program, bad) == without
    assert rows_of(debug.parent / "split", Path(shutil.which("sh") or "")) == without


def test_what_is_no_elf_file_is_counted_once(objects: ObjectStore, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no program")
    for _ in range(3):
        assert objects.by_name([os.getpid()], mapping_of(path)) is None
    assert objects.unreadable == 1


def test_anonymous_memory_is_no_unreadable_file(objects: ObjectStore) -> None:
    entry = MapsEntry(0x1000, 0x2000, 0, 0, 0, "", True, False)
    assert objects.of(os.getpid(), entry) is None
    assert objects.by_name([os.getpid()], entry) is None
    assert objects.unreadable == 0


def test_what_lies_behind_an_objects_segments_is_no_code_of_it(objects: ObjectStore) -> None:
    """Such as what was appended to the file: it is named by the file alone."""
    code = library()
    assert objects.of(os.getpid(), code) is not None
    assert objects.is_object(code)
    behind = Path(code.path).stat().st_size // mmap.PAGESIZE * mmap.PAGESIZE + mmap.PAGESIZE
    assert not objects.is_object(replace(code, offset=behind))


def test_a_file_that_is_found_elsewhere_is_readable(objects: ObjectStore) -> None:
    assert objects.by_name([GONE], library()) is None
    assert objects.unreadable == 1
    assert objects.by_name([os.getpid()], library()) is not None
    assert objects.unreadable == 0


def test_a_process_that_may_not_be_looked_at_does_not_spoil_its_files(
    objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int, entry: MapsEntry) -> ObjectFile:
        raise NoPermissionError("cannot look at process 1")

    with monkeypatch.context() as patched:
        patched.setattr(objects_module, "open_object", refuse)
        assert objects.of(1, library()) is None
    assert objects.unreadable == 1
    assert objects.of(os.getpid(), library()) is not None
    assert objects.unreadable == 0


def test_files_beyond_the_last_number_are_counted(
    objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects_module, "MAX_OBJECTS", 0)
    for _ in range(2):
        assert objects.of(os.getpid(), library()) is None
    assert objects.left_out == 1


def test_half_of_the_files_that_may_be_open_are_left_to_others() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    now = sum(1 for _ in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (now + 2, hard))
    try:
        made = store()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    entries = [entry for entry in read_maps(os.getpid()) if entry.inode]
    found = [made.of(os.getpid(), entry) for entry in entries]
    assert 0 < len(made.all()) < len({entry.inode for entry in entries})
    assert made.left_out == len({entry.inode for entry in entries}) - len(made.all())
    assert None in found
    made.close()


def other_libraries() -> list[MapsEntry]:
    """One mapping each of the other files that this process runs code of."""
    by_inode = {entry.inode: entry for entry in read_maps(os.getpid()) if entry.inode}
    del by_inode[library().inode]
    return list(by_inode.values())


def test_another_file_in_a_mappings_place_does_not_spoil_its_file(objects: ObjectStore) -> None:
    """A process mapped another file there after its mappings were read."""
    stale = replace(other_libraries()[0], device=library().device, inode=library().inode)
    assert objects.of(os.getpid(), stale) is None
    found = objects.of(os.getpid(), library())
    assert found is not None and "libc.so" in found.file.path


def test_unwind_information_without_end(
    objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects_module, "MAX_UNWIND_BYTES", 1)
    monkeypatch.setattr(objects_module, "UNWIND_BYTES_PER_S", 0)
    first, second, third = with_tables(objects, other_libraries()[:3])
    assert first.table is not None
    assert (second.table, second.has_no_room) == (third.table, third.has_no_room) == (None, True)
    assert objects.no_room == 2
    monkeypatch.setattr(objects_module, "UNWIND_BYTES_PER_S", 1 << 40)
    assert objects.is_affordable(second), "there is time for it later"


def test_more_unwind_information_may_be_compiled_as_time_goes_by(
    objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects_module, "MAX_UNWIND_BYTES", 1)
    monkeypatch.setattr(objects_module, "UNWIND_BYTES_PER_S", 1 << 40)
    assert all(one.table is not None for one in with_tables(objects, other_libraries()[:3]))


def test_an_object_without_a_table_for_want_of_memory_gets_one_later() -> None:
    made = store(limit=0)
    (found,) = with_tables(made, [library()])
    assert (found.table, found.failure, found.has_no_room) == (None, "", True)
    assert sum(found.sizes) > 1000
    assert made.of(os.getpid(), library()) is found
    assert not made.restore(found)
    assert made.no_room == 1, "however often it is tried"
    made._tables = table_store()
    found.has_no_room = False
    assert made.restore(found)
    assert found.table is not None and not found.has_no_room
    made.close()


def test_a_table_that_was_taken_away_is_made_again_when_it_is_asked_for(
    objects: ObjectStore,
) -> None:
    (found,) = with_tables(objects, [library()])
    assert found.table is not None
    size = found.table.words
    assert objects.evict(found) and found.is_absent
    assert objects._room.take_back()
    assert with_tables(objects, [library()]) == [found]
    assert found.table is not None and not found.is_absent
    assert objects._tables.used_words == found.table.words == size
    assert objects.seen == 1


def test_an_object_without_unwind_information_is_not_absent(objects: ObjectStore) -> None:
    (found,) = with_tables(objects, [library()])
    found.table = None
    assert not objects.evict(found)
    assert not found.is_absent


def test_what_is_dropped_is_opened_anew_under_another_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(objects_module, "MAX_OBJECTS", 2)
    made = store()
    first = made.of(os.getpid(), library())
    assert first is not None
    made.evict(first)
    made.drop(first)
    assert not first.file.file.closed
    second = made.of(os.getpid(), library())
    assert second is not None
    assert (first.number, second.number) == (1, 2)
    assert made.numbered(1) is None and made.all() == [second]
    made.free_number(1)
    third = made.of(os.getpid(), other_libraries()[0])
    assert third is not None and third.number == 1
    made.close()
    first.file.close()


def test_what_cannot_be_used_is_remembered_within_bounds(
    objects: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects_module, "MAX_REMEMBERED", 3)
    for number in range(10):
        path = tmp_path / f"text{number}"
        path.write_text("no program")
        assert objects.by_name([os.getpid()], mapping_of(path)) is None
    assert objects.unreadable == 10
    assert len(objects._bad) == 3
