"""Every reader of foreign bytes, with a surprise in it: it costs what it reads, and nobody else."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from ebprof import output
from ebprof.abi import OWNER, SAMPLE_KEY
from ebprof.bpf.records import Records
from ebprof.bpf.sideband import Exited
from ebprof.elf import ObjectFile
from ebprof.errors import BadFileError
from ebprof.events import Processes as EventProcesses
from ebprof.events import function
from ebprof.identity import cgroups, placement, processes
from ebprof.identity.processes import NO_COMM, Processes
from ebprof.identity.sightings import Sightings
from ebprof.model import Location, no_samples
from ebprof.output import folded, pprof
from ebprof.procfs import process
from ebprof.procfs.maps import MapsEntry, open_object, read_maps
from ebprof.sampling import members
from ebprof.sampling.naming import Namer
from ebprof.sampling.resolve import Resolver
from ebprof.sampling.stacks import StackStore
from ebprof.sampling.timeline import LEAVING_NS, Timeline
from ebprof.sampling.tracker import Tracker
from ebprof.sampling.windows import Window, Windows
from ebprof.symbolize import Symbolizer, symbolizer
from ebprof.symbolize.demangle import Demangler
from ebprof.symbolize.kernel import KernelSymbols
from ebprof.symbolize.mapped import MappedFiles
from ebprof.symbolize.objects import ObjectSymbols
from ebprof.symbolize.perfmap import PerfMap
from ebprof.symbolize.symtab import functions_with
from ebprof.symbolizers import perf_map
from ebprof.traffic import listening, names
from ebprof.unwind import objects as unwind_objects
from ebprof.unwind import processes as unwind_processes
from ebprof.unwind.objects import ObjectStore
from ebprof.unwind.processes import ProcessStore
from ebprof.walls import Walls
from tests import slow
from tests.builders import example
from tests.unit.test_walls import SURPRISES
from tests.unit.traffic import batches
from tests.unit.unwind.fakes import FakeMap, Stores, room

pytestmark = pytest.mark.usefixtures("walls_hold")

SAMPLE = (OSError, ValueError, MemoryError, AssertionError)
"""What readers deal with themselves elsewhere, and what they know nothing of."""
ROWS = [
    pytest.param(error, id=type(error).__name__, marks=() if type(error) in SAMPLE else slow.only)
    for error in SURPRISES
]
"""Every one of them at a wall is in `test_walls.py`."""

SELF = os.getpid()
CODE = 0x7000


@dataclass
class Faults:
    """Has functions raise `error` where what they are given is `hit`."""

    monkeypatch: pytest.MonkeyPatch
    error: Exception
    walls: Walls

    def put(self, owner: object, name: str, hit: Callable[..., bool] = lambda *_: True) -> None:
        real = getattr(owner, name)

        def fail(*arguments: Any, **options: Any) -> Any:
            if hit(*arguments):
                raise self.error.with_traceback(None)
            return real(*arguments, **options)

        self.monkeypatch.setattr(owner, name, fail)


@pytest.fixture(params=ROWS)
def faults(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """Put faults in, use what reads; the wall says so in the end."""
    made = Faults(monkeypatch, request.param, Walls())
    yield made
    assert made.walls.failed > 0
    assert type(made.error).__name__ in next(made.walls.warnings)


@pytest.fixture(params=ROWS)
def surprise(request: pytest.FixtureRequest) -> Exception:
    error: Exception = request.param
    return error


def two_objects() -> list[MapsEntry]:
    """Small files that we have mapped, with code in them."""
    entries = [one for one in read_maps(SELF) if one.inode]
    return sorted(entries, key=lambda one: one.end - one.start)[:2]


@contextmanager
def two_files() -> Iterator[list[ObjectFile]]:
    files = [open_object(SELF, one) for one in two_objects()]
    yield files
    for file in files:
        file.close()


# ---- unwind information -------------------------------------------------------------------------


def check_tables(faults: Faults, *, is_opened: bool) -> None:
    """The first of two files has no table, the second one has."""
    bad, good = two_objects()
    store = ObjectStore(room(), walls=faults.walls)
    known = store.of(SELF, bad)
    assert (known is not None) == is_opened
    assert known is None or store.restore(known)
    assert known is None or (known.table is None and known.failure and not known.is_absent)
    assert store.of(SELF, bad) is known
    other = store.of(SELF, good)
    assert other is not None and store.restore(other) and other.table
    store.close()


def test_opening_an_object(faults: Faults) -> None:
    bad, _ = two_objects()
    faults.put(unwind_objects, "open_object", lambda _, entry: entry == bad)
    check_tables(faults, is_opened=False)


def test_opening_an_object_by_name(faults: Faults) -> None:
    bad, good = two_objects()
    faults.put(unwind_objects, "open_named", lambda _, entry: entry == bad)
    store = ObjectStore(room(), walls=faults.walls)
    assert store.by_name([SELF, SELF], bad) is None
    other = store.by_name([SELF], good)
    assert other is not None and store.restore(other) and other.table
    store.close()


@pytest.mark.parametrize("name", ["frame_sections", "object_rows"])
def test_making_rows(faults: Faults, name: str) -> None:
    bad, _ = two_objects()
    faults.put(unwind_objects, name, lambda image, *_: os.fstat(image.fd).st_ino == bad.inode)
    check_tables(faults, is_opened=True)


def test_keeping_rows(faults: Faults) -> None:
    bad, _ = two_objects()
    faults.put(ObjectStore, "_place", lambda _, known, rows: known.key[1] == bad.inode)
    check_tables(faults, is_opened=True)


# ---- processes ----------------------------------------------------------------------------------


@dataclass
class Followed:
    """What follows processes, over memory; `told`: what BPF programs know."""

    told: FakeMap
    processes: ProcessStore
    tracker: Tracker


def stores(walls: Walls) -> Followed:
    made = Stores(walls=walls, use_tables=False)
    return Followed(made.map, made.processes, Tracker(made.processes, walls))


def test_mappings_of_a_process(faults: Faults) -> None:
    made = stores(faults.walls)
    faults.put(unwind_processes, "read_maps", lambda pid: pid == 1)
    made.tracker.load_all([1, SELF], 60)
    assert SELF in made.told and 1 not in made.told
    made.tracker.notice([(1, CODE)])


def test_mappings_that_are_read_again(faults: Faults) -> None:
    made = stores(faults.walls)
    made.tracker.load_all([SELF], 60)
    before = made.told[SELF].copy()
    faults.put(unwind_processes, "read_maps")
    made.tracker.load_all([SELF], 60)
    assert (made.told[SELF] == before).all()
    assert not made.processes._is_contradicted(SELF)


def event_processes(walls: Walls, pids: tuple[int, ...] = (SELF,)) -> EventProcesses:
    return EventProcesses(pids, walls=walls)


def test_whether_a_process_is_the_kernels(faults: Faults) -> None:
    made = stores(faults.walls)
    faults.put(process, "is_kernel_thread", lambda pid: pid == 1)
    made.tracker.load_all([1, SELF], 60)
    assert SELF in made.told and 1 not in made.told


@pytest.mark.parametrize("name", ["process_time", "thread_time"])
def test_cpu_time_of_a_task(faults: Faults, name: str) -> None:
    """Where no iterator tells of tasks."""
    faults.put(members, name, lambda number: number == 1)
    tids = None if name == "process_time" else frozenset({1, SELF})
    found = members._from_proc(tids, faults.walls)["own_tid"].tolist()
    assert SELF in found and 1 not in found


def test_whether_a_process_runs_on_without_its_first_thread(faults: Faults) -> None:
    """Of whom that cannot be told, the end is handed on; others' events are as well."""
    faults.put(process, "is_running", lambda pid: pid == 1)
    reader = SimpleNamespace(drain=lambda _: Records(b"", [], [], [], []))
    sideband = SimpleNamespace(drain=lambda _: [Exited(10, 1), Exited(20, SELF)])
    line = Timeline(cast(Any, reader), cast(Any, sideband), faults.walls)
    line.collect()
    assert list(line.take_until(np.inf)) == [Exited(10 + LEAVING_NS, 1)]


# ---- functions that events are at ---------------------------------------------------------------


def test_functions_of_a_file_that_a_process_maps(faults: Faults) -> None:
    """Its executable is a surprise; libc is looked at all the same."""
    executable = Path("/proc/self/exe").stat().st_ino
    mapped = [one for one in read_maps(SELF) if one.inode == executable or "/libc." in one.path]
    faults.monkeypatch.setattr(function, "read_maps", lambda _: mapped)
    faults.put(function, "_offsets", lambda file, _: file.key.inode == executable)
    event = function.find("u:malloc", event_processes(faults.walls))
    assert event is not None and event.name == "probe_libc:malloc"


def test_whether_anybody_maps_a_file(faults: Faults) -> None:
    faults.put(function, "read_maps", lambda pid: pid == 1)
    assert not function._is_mapped(__file__, faults.walls)


def test_whether_the_thread_that_was_attached_to_has_ended(faults: Faults) -> None:
    event = function.UserFunction("u:f", [], faults.walls)
    event._attached = {1: 1, SELF: SELF}
    faults.put(process, "has_ended", lambda tid: tid == 1)
    event.tend(cast(Any, Nothing()))
    assert event._attached == {1: 1, SELF: SELF}


def test_functions_of_a_file_that_is_named(
    surprise: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no other: the run ends before it begins, with a line that names the file."""

    def fail(*_: object) -> None:
        raise surprise.with_traceback(None)

    monkeypatch.setattr(function, "find_functions", fail)
    path = next(one.path for one in read_maps(SELF) if "libc.so" in one.path)
    with pytest.raises(BadFileError, match=f"{path}: .*{type(surprise).__name__}"):
        function.find(f"u:{path}:malloc", event_processes(Walls(), ()))


# ---- names --------------------------------------------------------------------------------------


def is_unknown(location: Location) -> bool:
    (frame,) = location.frames
    return "+0x" in frame.function


def code_of(file: ObjectFile) -> int:
    return next(one.address for one in file.image.segments if one.executable) + 8


def check_names(faults: Faults) -> None:
    """The first of two files has no names, in spite of several questions."""
    made = Symbolizer(cache=None, walls=faults.walls)
    with two_files() as (bad, good):
        for _ in range(2):
            (location,) = made.object_locations(bad, [code_of(bad)]).values()
            assert is_unknown(location)
            assert location.mapping is not None and location.mapping.path == bad.path
        before = faults.walls.failed
        made.object_locations(good, [code_of(good)])
        assert faults.walls.failed == before
    made.close()


def test_symbols_of_an_object(faults: Faults) -> None:
    real = vars(symbolizer)["ObjectSymbols"]
    bad, _ = two_objects()
    faults.put(symbolizer, "ObjectSymbols", lambda file, _: file.key.inode == bad.inode)
    assert vars(symbolizer)["ObjectSymbols"] is not real
    check_names(faults)


@pytest.mark.parametrize("name", ["find", "mapping"])
def test_one_address_of_an_object(faults: Faults, name: str) -> None:
    """A process can jump anywhere in a library that all use."""
    faults.put(ObjectSymbols, name, lambda _, address: address == CODE)
    made = Symbolizer(cache=None, walls=faults.walls)
    libc = next(one for one in read_maps(SELF) if "libc.so" in one.path)
    file = open_object(SELF, libc)
    known = code_at(file, "malloc")
    found = made.object_locations(file, [CODE, known])
    assert found[known].frames[-1].function == "malloc"
    assert found[CODE].address == CODE
    file.close()
    made.close()


def code_at(file: ObjectFile, name: str) -> int:
    found = functions_with(file.image, None, name, 100)
    return next(one.address for one in found if one.name == name)


@pytest.mark.parametrize("name", ["read", "find"])
def test_the_kernels_symbols(faults: Faults, name: str) -> None:
    faults.put(KernelSymbols, name)
    made = Symbolizer(cache=None, walls=faults.walls)
    (location,) = made.kernel_locations([0xFFFFFFFF81000000]).values()
    assert is_unknown(location)
    made.close()


@pytest.mark.parametrize("name", ["learn", "name"])
def test_mangled_names(name: str, faults: Faults) -> None:
    faults.put(Demangler, name)
    made = Symbolizer(cache=None, walls=faults.walls)
    with two_files() as (_, file):
        assert made.object_locations(file, [code_of(file)])
    made.close()


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (perf_map, "open_process"),
        (PerfMap, "refresh"),
        (PerfMap, "find"),
        (PerfMap, "forget"),
        (PerfMap, "close"),
        (process, "start_time"),
    ],
)
def test_names_of_a_jit(faults: Faults, owner: object, name: str, tmp_path: Path) -> None:
    """One process's perf map is a surprise; another's is read all the same."""
    parent = os.getppid()
    paths = [Path(f"/tmp/perf-{pid}.map") for pid in (SELF, parent)]
    for path in paths:
        path.write_text(f"{CODE:x} 10 named\n")
    made = Symbolizer(cache=None, walls=faults.walls)
    faults.put(owner, name, lambda one, *_: getattr(one, "pid", one) == SELF)
    try:
        mine = made.jit_locations(SELF, [CODE])[CODE]
        others = made.jit_locations(parent, [CODE])[CODE]
        if name in ("open_process", "refresh", "find"):
            assert is_unknown(mine)
        assert others.frames[0].function == "named"
        made.forget_process(SELF)
        made.jit_locations(SELF, [CODE])
        made.close()
    finally:
        for path in paths:
            path.unlink()


def test_code_in_a_file_that_is_no_object(faults: Faults) -> None:
    faults.put(MappedFiles, "find", lambda _, pid, *__: pid == SELF)
    made = Symbolizer(cache=None, walls=faults.walls)
    assert is_unknown(made.jit_locations(SELF, [CODE])[CODE])
    made.close()


def test_warnings_of_a_jits_names(faults: Faults) -> None:
    made = Symbolizer(cache=None, walls=faults.walls)
    made.watch_jit(SELF)

    def fail(_: PerfMap) -> list[str]:
        raise faults.error.with_traceback(None)

    faults.monkeypatch.setattr(PerfMap, "warnings", property(fail))
    assert made.warnings == ()
    made.close()


# ---- what is done in the background --------------------------------------------------------------


class Nothing:
    """Stands for stores that are not asked."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def test_the_thread_of_names_survives(faults: Faults) -> None:
    made = Resolver(cast(Any, Nothing()), cast(Any, Nothing()), faults.walls)
    done: list[int] = []

    def fail() -> None:
        raise faults.error.with_traceback(None)

    made.then(fail)
    made.then(lambda: done.append(1))
    made._tasks.put(None)
    made._thread.join()
    assert done == [1]


# ---- traffic ------------------------------------------------------------------------------------


def rows_of(walls: Walls, *pids: int) -> tuple[Processes, list[int]]:
    started = [process.start_time(pid) & 0xFFFFFFFF for pid in pids]
    ids = np.concatenate(list(map(batches.process, pids, started)))
    made = Processes(walls)
    rows = made.identify(ids[:0], np.zeros(0, OWNER), ids)
    return made, rows.tolist()


def test_name_of_a_process_with_traffic(faults: Faults) -> None:
    faults.put(processes, "_comm", lambda pid, _: pid == 1)
    made, (bad, good) = rows_of(faults.walls, 1, SELF)
    assert made.comm_of(bad) == NO_COMM
    assert made.comm_of(good) == process.comm(SELF)
    assert made.placement_of(good).paths


def test_cgroup_of_a_process_with_traffic(faults: Faults) -> None:
    text = Path("/proc/1/cgroup").read_bytes()
    seen: list[bytes] = []

    def first(given: bytes) -> bool:
        seen.append(given)
        return len(seen) == 1

    assert text
    faults.put(processes, "parse_placement", first)
    made, (bad, good) = rows_of(faults.walls, 1, SELF)
    assert made.placement_of(bad) == placement.UNKNOWN
    assert made.placement_of(good).paths
    assert made.comm_of(bad) == process.comm(1)


def test_container_of_a_sampled_process(faults: Faults) -> None:
    faults.put(process, "cgroups", lambda pid: pid == 1)
    made = Sightings(faults.walls)
    made.see([1, SELF])
    assert made.of(1) == ()
    assert SELF in made._labels and 1 not in made._labels


def test_cgroup_file_systems(faults: Faults) -> None:
    faults.put(cgroups, "mounts")
    made, (row,) = rows_of(faults.walls, SELF)
    assert made.placement_of(row).paths


@contextmanager
def listening_here(faults: Faults) -> Iterator[Callable[[], bool]]:
    """This process listens; what is yielded says whether it was found after its parent."""
    faults.monkeypatch.setattr(process, "all_processes", lambda: [os.getppid(), SELF])
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        yield lambda: any(one.port == port for one in listening.find_listening(faults.walls))


def test_who_listens_in_a_network_namespace(faults: Faults) -> None:
    faults.put(listening, "_listening_sockets")
    with listening_here(faults) as is_found:
        assert not is_found()


def test_what_a_process_listens_on(faults: Faults) -> None:
    faults.put(listening, "_sockets", lambda pid: pid == os.getppid())
    with listening_here(faults) as is_found:
        assert is_found()


def test_names_of_addresses(faults: Faults) -> None:
    faults.put(names, "look_up", lambda address: address == "10.0.0.1")
    faults.monkeypatch.setattr(socket, "getnameinfo", lambda *_: ("host", ""))
    made = names.Names(faults.walls)
    made.name_of("10.0.0.1")
    made.name_of("10.0.0.2")
    for _ in range(1000):
        if made.name_of("10.0.0.2") == "host":
            break
        time.sleep(0.005)
    assert made.name_of("10.0.0.2") == "host"
    assert made.name_of("10.0.0.1") is None


# ---- saved profiles -----------------------------------------------------------------------------


@pytest.mark.parametrize("module", [folded, pprof], ids=["folded", "pprof"])
def test_a_saved_profile(
    module: Any, surprise: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise surprise.with_traceback(None)

    path = tmp_path / "p"
    data = io.BytesIO()
    module.write(example(), data)
    path.write_bytes(data.getvalue())
    monkeypatch.setattr(module, "read", fail)
    with pytest.raises(BadFileError, match=type(surprise).__name__) as caught:
        output.read_profile(str(path))
    assert str(path) in caught.value.message


# ---- top ----------------------------------------------------------------------------------------


def test_a_window_without_names_is_lost_and_counted(faults: Faults) -> None:
    resolver = Resolver(cast(Any, Nothing()), cast(Any, Nothing()), faults.walls)
    stacks, namer = StackStore(), Namer(resolver, Sightings(faults.walls))
    retention = cast(Any, SimpleNamespace(end_window=lambda ended: None))
    made = Windows(stacks, resolver, namer, retention, faults.walls)
    faults.put(Namer, "samples")
    stacks.count(np.zeros(2, SAMPLE_KEY), np.array([3, 4], np.uint64))
    made.begun = 1.0
    made.cut(2.0, frozenset())
    assert list(made.rest()) == [Window(no_samples(), 1.0, 2.0)]
    assert made.lost == 7
