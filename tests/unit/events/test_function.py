"""User functions: from a name to offsets in a file."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ebprof.bpf.events import Rate
from ebprof.elf import ObjectFile, open_regular
from ebprof.errors import EbprofError, NoTargetError, UsageError
from ebprof.events import Processes, function
from ebprof.procfs import process
from ebprof.procfs.maps import read_maps
from ebprof.symbolize.functions import find_functions
from tests import targets

EVERYONE = Processes()


def places(name: str, processes: Processes = EVERYONE) -> set[function.Place]:
    found = function.find(name, processes)
    assert found is not None
    return set(found._places)


def libc() -> str:
    return next(one.path for one in read_maps(os.getpid()) if "libc.so" in one.path)


def test_what_is_no_user_function_is_left_to_others() -> None:
    assert function.find("sched:sched_switch", EVERYONE) is None


def test_a_function_of_a_library_is_where_the_dynamic_linker_finds_it() -> None:
    (place,) = places(f"u:{libc()}:malloc")
    address = ctypes.cast(ctypes.CDLL(None).malloc, ctypes.c_void_p).value or 0
    (entry,) = (one for one in read_maps(os.getpid()) if address in range(one.start, one.end))
    assert place == function.Place(libc(), address - entry.start + entry.offset)


def test_a_function_of_processes_is_attached_to_in_them_alone() -> None:
    own = os.getpid()
    (place,) = places("u:malloc", Processes((own,)))
    assert place.pid == own
    assert place.path.startswith(f"/proc/{own}/map_files/")
    assert Path(place.path).samefile(libc())


def test_what_processes_start_belongs_to_them() -> None:
    (place,) = places("u:malloc", Processes((os.getpid(),), follow=True))
    assert place.pid == function.ALL


def test_an_offset_is_taken_as_it_is() -> None:
    (place,) = places(f"u:{libc()}:malloc")
    assert places(f"u:{libc()}:{place.offset:#x}") == {place}


@pytest.mark.parametrize(
    ("name", "shown"),
    [("malloc", "probe_libc:malloc"), ("0x26380", "probe_libc:abs_26380")],
)
def test_names_are_those_of_perf_probe(name: str, shown: str) -> None:
    found = function.find(f"u:{libc()}:{name}", EVERYONE)
    assert found is not None
    assert found.name == shown


@dataclass
class FakeSession:
    """Notes by which threads functions are attached."""

    tids: list[int] = field(default_factory=list)

    def attach_function(self, path: str, offset: int, tid: int) -> None:
        assert Path(path).exists()
        self.tids.append(tid)

    def run_statistics(self) -> tuple[int, float]:
        return 1, 0.0


def test_a_process_whose_first_thread_ends_is_attached_to_by_another() -> None:
    session: Any = FakeSession()
    with targets.running("headless", 3_600_000) as target:
        found = function.find("u:beat", Processes((target.pid,)))
        assert found is not None
        found.attach(session, Rate(), (), idle=False)
        assert session.tids == [target.pid]
        os.kill(target.pid, signal.SIGUSR1)
        deadline = time.monotonic() + 60
        while len(session.tids) < 2:
            assert time.monotonic() < deadline
            time.sleep(function.TEND_S)
            found.tend(session)
        assert session.tids[1] == process.living_thread(target.pid) != target.pid
    (warning,) = found.warnings(session)
    assert warning.startswith("calls of up to ") and f"PID {target.pid}" in warning


def test_a_name_may_hold_colons() -> None:
    path = targets.build("demo")
    (place,) = places(f"u:{path}:kv::compress")
    assert place.path == str(path)


def test_a_readable_name_stands_for_all_overloads() -> None:
    file = ObjectFile.open(open_regular(str(targets.build("overloads"))), "overloads")
    with file.file:
        every = {one.name for one in find_functions(file, "ns::over")}
        one = {one.name for one in find_functions(file, "ns::over(int)")}
        mangled = {one.name for one in find_functions(file, "_ZN2ns4overEd")}
    assert every == {"_ZN2ns4overEi", "_ZN2ns4overEd"}
    assert one == {"_ZN2ns4overEi"}
    assert mangled == {"_ZN2ns4overEd"}


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("ns::Part::run", 1),
        ("ns::generic", 2),
        ("ns::(anonymous namespace)::hidden", 1),
        ("ns::ov", 0),
        ("ov", 0),
        ("run", 0),
        ("ns::Part::run(long)", 0),
    ],
)
def test_a_readable_name_is_whole(name: str, count: int) -> None:
    file = ObjectFile.open(open_regular(str(targets.build("overloads"))), "overloads")
    with file.file:
        assert len({one.address for one in find_functions(file, name)}) == count


def test_what_stands_for_one_of_several_functions_is_refused() -> None:
    with pytest.raises(UsageError, match="several functions"):
        function.find(f"u:{libc()}:memcpy", EVERYONE)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("u:", UsageError),
        ("u:malloc", UsageError),
        ("u:/usr/bin/env", UsageError),
        ("u:/usr/bin/env:", UsageError),
        ("u:/usr/bin/env:0x0", UsageError),
        ("u:/usr/bin/env:nothing_like_it", NoTargetError),
        ("u:/dev/zero:main", EbprofError),
        ("u:/:main", EbprofError),
    ],
)
def test_what_cannot_be_had(name: str, error: type[EbprofError]) -> None:
    with pytest.raises(error):
        function.find(name, EVERYONE)
