"""Files behind mappings: opened once, and those that cannot be used are counted."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ebprof._native import lib
from ebprof.abi import UNWIND_RULE
from ebprof.bpf.maps import MapError
from ebprof.elf import ObjectFile
from ebprof.errors import NoPermissionError
from ebprof.procfs.maps import MapsEntry, read_maps
from ebprof.unwind import objects as objects_module
from ebprof.unwind.objects import ObjectStore
from ebprof.unwind.tables import NewShard, TableStore, Words

GONE = 1 << 22  # no process has this number


def new_shard() -> Words:
    return np.zeros(lib.SHARD_WORDS, np.uint32)


def store(make: NewShard = new_shard) -> ObjectStore:
    return ObjectStore(TableStore(make, np.zeros(lib.MAX_RULES, UNWIND_RULE)))


@pytest.fixture
def objects() -> Iterator[ObjectStore]:
    made = store()
    yield made
    made.close()


def library() -> MapsEntry:
    """libc, as this process has it mapped."""
    return next(entry for entry in read_maps(os.getpid()) if "libc.so" in entry.path)


def mapping_of(path: Path) -> MapsEntry:
    """A mapping of a file, in a process that is gone."""
    info = path.stat()
    return MapsEntry(0x1000, 0x2000, 0, info.st_dev, info.st_ino, str(path), True, False)


def test_a_file_is_opened_once(objects: ObjectStore) -> None:
    found = objects.of(os.getpid(), library())
    assert found is not None and found.table is not None
    assert objects.of(os.getpid(), library()) is found
    assert objects.by_name([os.getpid()], library()) is found
    assert objects.all() == [found]
    assert objects.unreadable == 0


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
    assert objects.unreadable == 1


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
    assert made.unreadable == len({entry.inode for entry in entries}) - len(made.all())
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
    first, second = (objects.of(os.getpid(), entry) for entry in other_libraries()[:2])
    assert first is not None and first.table is not None
    assert second is not None and second.table is None
    assert "too much unwind information" in second.failure


def test_an_object_without_a_table_for_want_of_memory_says_so() -> None:
    def refuse() -> Words:
        raise MapError("cannot create a map")

    made = store(refuse)
    found = made.of(os.getpid(), library())
    assert found is not None
    assert (found.table, found.failure) == (None, "cannot create a map")
    made.close()
