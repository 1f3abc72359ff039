"""User functions: `u:/path/lib.so:func`, `u:/path/lib.so:0xOFFSET`, and `u:func` of a process.

The kernel puts a breakpoint at an offset in a file (Documentation/trace/uprobetracer.rst): into
the processes that are sampled, or where there is no such choice into all that map the file.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from ebprof.bpf.cpu import CpuSession
from ebprof.bpf.events import Rate, Scope
from ebprof.elf import ElfImage, ObjectFile, open_regular
from ebprof.errors import BadFileError, EbprofError, NoTargetError, UnsupportedError, UsageError
from ebprof.events._protocol import Processes
from ebprof.events._traced import TracedEvent
from ebprof.procfs import process
from ebprof.procfs.mapped import file_of, find_mapped, is_in_root, mapped_like
from ebprof.procfs.maps import MapsEntry, file_identities, open_object, read_maps
from ebprof.procfs.process import reading
from ebprof.procfs.text import printable
from ebprof.symbolize.functions import find_functions
from ebprof.walls import Walls, refusing

PREFIX = "u:"
ALL = -1
TEND_S = 0.02
SEARCH_S = 1.0
"""How long to look for a process that maps a file."""
_OFFSET = re.compile(r"0x[0-9a-fA-F]{1,16}")
_WORD = re.compile(r"\w*")
_OF_PROCESS = re.compile(r"^/proc/\d+(?=/map_files/|/root/)")
_LONE_COLON = re.compile(r"(?<!:):(?!:)")
_SYMBOLS = "`nm -C` and `nm -D` list those that have names; 0xOFFSET needs none"
_FORMS = "write it like u:/path/lib.so:function, u:/path/lib.so:0x1234, or u:function with -p"


@dataclass(frozen=True, slots=True)
class Place:
    """Code at an offset in a file. path: as the kernel finds it; pid: -1 for all processes."""

    path: str
    offset: int
    pid: int = ALL


class UserFunction(TracedEvent):
    """A function, at its first instruction; of several of one name, all."""

    sampler = "uprobe"

    def __init__(self, name: str, places: Sequence[Place], walls: Walls | None = None) -> None:
        super().__init__(name)
        self._walls = walls or Walls()
        self._places = places
        self._attached: dict[int, int] = {}
        self._gaps: dict[int, float] = {}
        self._tended_at = 0.0

    def attach(
        self, session: CpuSession, rate: Rate, scopes: Sequence[Scope], *, idle: bool
    ) -> None:
        """Attach to each place; raises UnsupportedError when the kernel refuses one."""
        self._tended_at = time.monotonic()
        for pid in {place.pid for place in self._places}:
            self._attach(session, pid)

    def _attach(self, session: CpuSession, pid: int) -> None:
        """The kernel takes any thread for its process, but one that has ended for none.

        What that one mapped can no longer be opened below its number either.
        """
        places = [place for place in self._places if place.pid == pid]
        for is_last in (False, False, True):
            tid = ALL if pid == ALL else process.living_thread(pid)
            try:
                for place in places:
                    path = place.path if tid == ALL else _OF_PROCESS.sub(f"/proc/{tid}", place.path)
                    session.attach_function(path, place.offset, tid)
            except UnsupportedError:
                if is_last or tid == ALL or not process.has_ended(tid):
                    raise
            else:
                break
        if tid != ALL:
            self._attached[pid] = tid

    def tend(self, session: CpuSession) -> None:
        """Attach anew where the thread has ended by which the kernel knew a process."""
        now = time.monotonic()
        if now < self._tended_at + TEND_S:
            return
        for pid, tid in list(self._attached.items()):
            with self._walls.around(f"threads of PID {pid}", EbprofError):
                if process.has_ended(tid):
                    self._attach_anew(session, pid, now - self._tended_at)
        self._tended_at = now

    def _attach_anew(self, session: CpuSession, pid: int, gap_s: float) -> None:
        del self._attached[pid]
        with suppress(NoTargetError):
            self._attach(session, pid)
            self._gaps[pid] = self._gaps.get(pid, 0.0) + gap_s

    def warnings(self, session: CpuSession) -> Iterator[str]:
        """Gaps in which nothing was attached, and that nothing could be met at all."""
        for pid, seconds in self._gaps.items():
            yield (
                f"calls of up to {1000 * seconds:.0f} ms are missing in PID {pid}: "
                "its thread by which the function was attached to ended"
            )
        paths = {place.path for place in self._places if place.pid == ALL}
        if not session.run_statistics()[0]:
            unused = (path for path in paths if not _is_mapped(path, self._walls))
            yield from map(_unused, sorted(unused))


def find(name: str, processes: Processes) -> UserFunction | None:
    """Raises UsageError, NoTargetError or BadFileError when there is no such function."""
    if not name.startswith(PREFIX):
        return None
    pids = () if processes.follow else processes.pids
    path, what = _split(name.removeprefix(PREFIX), pids)
    if not what:
        raise UsageError(f"no function in {printable(name)!r}", _FORMS)
    if path:
        places = [one for pid in pids for one in _in_process(pid, path, what)]
        places = places or _everywhere(path, what)
        return UserFunction(_perf_name(path, what), places, processes.walls)
    if not processes.pids:
        raise UsageError(f"{printable(name)!r} names no file", _FORMS)
    return _in_processes(what, processes)


def known() -> Iterable[tuple[str, str]]:
    """The forms: there are too many functions."""
    yield "u:/path/lib.so:function", "calls of a function, in all that map the file"
    yield "u:/path/lib.so:0x1234", "code at an offset of a file"
    yield "u:function", "with -p or a command: of its executable, else of its libraries"


def _split(words: str, pids: Iterable[int]) -> tuple[str, str]:
    """Path (or nothing) and function, of which either may hold colons: the path is a file's."""
    if not words.startswith("/"):
        return "", words
    colons = [place for place, letter in enumerate(words) if letter == ":"]
    for place in colons:
        if Path(words[:place]).is_file() or any(is_in_root(pid, words[:place]) for pid in pids):
            return words[:place], words[place + 1 :]
    place = next((one.start() for one in _LONE_COLON.finditer(words)), len(words))
    return words[:place], words[place + 1 :]


def _everywhere(path: str, what: str) -> list[Place]:
    with closing(_open_file(path)) as file:
        return [Place(path, offset) for offset in _known_offsets(file, what)]


def _in_process(pid: int, path: str, what: str) -> list[Place]:
    """In the file that the process maps at the path, which may be another than ours."""
    entry = find_mapped(pid, path)
    if entry is None:
        raise _not_mapped(pid, path)
    with closing(open_object(pid, entry)) as file:
        offsets = _known_offsets(file, what)
    return [Place(file_of(pid, entry), offset, pid) for offset in offsets]


def _not_mapped(pid: int, path: str) -> EbprofError:
    if not is_in_root(pid, path):
        _open_file(path).file.close()  # raises BadFileError where there is none at all
    close = " and ".join(map(printable, mapped_like(pid, path)[:3]))
    return NoTargetError(
        f"PID {pid} maps no {printable(path)}",
        f"it maps {close}" if close else "name a file that it has loaded, or leave out the PID",
    )


def _known_offsets(file: ObjectFile, what: str) -> list[int]:
    try:
        with refusing(EbprofError):
            offsets = _offsets(file, what)
    except BadFileError as error:
        raise BadFileError(f"{file.path}: {error.message}", error.hint) from None
    if not offsets:
        raise NoTargetError(f"no function {printable(what)!r} in {file.path}", _SYMBOLS)
    return offsets


def _open_file(path: str) -> ObjectFile:
    try:
        return ObjectFile.open(open_regular(path), printable(path))
    except OSError as error:
        raise BadFileError(f"cannot open {printable(path)}: {error.strerror}") from None


def _offsets(file: ObjectFile, what: str) -> list[int]:
    """File offsets of an offset, or of the functions of a name; empty when it has none."""
    if _OFFSET.fullmatch(what):
        offset = int(what, 16)
        if file.image.code_address(offset) is None:
            raise UsageError(f"{file.path} has no code at offset {what}", _FORMS)
        return [offset]
    functions = find_functions(file, what)
    chosen = [one for one in functions if one.is_ifunc]
    if chosen:
        raise UsageError(
            f"{what} in {file.path} stands for several functions, of which one is chosen at start",
            f"name that one, as a profile shows it: {what}_...",
        )
    return sorted({_file_offset(file.image, one.address) for one in functions})


def _file_offset(image: ElfImage, address: int) -> int:
    segment = image.segment_of_address(address)
    if segment is None or address - segment.address >= segment.file_size:
        raise BadFileError(f"corrupt ELF file: no code at 0x{address:x}")
    return segment.offset + address - segment.address


def _in_processes(what: str, processes: Processes) -> UserFunction:
    """In each process the first of its files that has the function, its executable before all."""
    places: list[Place] = []
    name = ""
    for pid in processes.pids:
        where = ALL if processes.follow else pid
        for entry, offsets in _found_in(pid, what, processes.walls):
            places.extend(Place(file_of(pid, entry), offset, where) for offset in offsets)
            name = name or _perf_name(entry.path, what)
            break
    if not places:
        pids = ",".join(map(str, processes.pids))
        raise NoTargetError(
            f"no function {printable(what)!r} in what PID {pids} maps",
            "name its file: u:/path:function",
        )
    return UserFunction(name, places, processes.walls)


def _found_in(pid: int, what: str, walls: Walls) -> Iterator[tuple[MapsEntry, list[int]]]:
    with reading(pid):
        executable = Path(f"{process.directory(pid)}/exe").stat().st_ino
    entries = {(one.device, one.inode): one for one in read_maps(pid) if one.inode}
    for entry in sorted(entries.values(), key=lambda one: one.inode != executable):
        offsets: list[int] = []
        with (
            suppress(BadFileError),
            walls.around(entry.path, EbprofError),
            closing(open_object(pid, entry)) as file,
        ):
            offsets = _offsets(file, what)
        if offsets:
            yield entry, offsets


def _perf_name(path: str, what: str) -> str:
    """As `perf probe` names it: `probe_libc:malloc`, `probe_libc:abs_1234`."""
    group = _WORD.match(Path(path).name)
    event = f"abs_{int(what, 16):x}" if _OFFSET.fullmatch(what) else what
    return printable(f"probe_{group[0] if group else ''}:{event}")


def _unused(path: str) -> str:
    return (
        f"no process maps {printable(path)}: it could not be called. "
        "Processes in containers have files of their own; with -p theirs is taken"
    )


def _is_mapped(path: str, walls: Walls) -> bool:
    """Whether some process maps a file, as far as there is time to look."""
    limit = time.monotonic() + SEARCH_S
    with suppress(OSError, BadFileError), open_regular(path) as file:
        known = file_identities(file)
        for pid in process.all_processes():
            with suppress(EbprofError), walls.around(f"/proc/{pid}/maps", EbprofError):
                if any((one.device, one.inode) in known for one in read_maps(pid)):
                    return True
            if time.monotonic() > limit:
                return True
        return False
    return True
