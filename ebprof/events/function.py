"""User functions: `u:/path/lib.so:func`, `u:/path/lib.so:0xOFFSET`, and `u:func` of a process.

The kernel puts a breakpoint at an offset in a file (Documentation/trace/uprobetracer.rst): into
the processes that are sampled, or where there is no such choice into all that map the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from ebprof.bpf.cpu import CpuSession
from ebprof.bpf.events import Rate, Scope
from ebprof.elf import ElfImage, ObjectFile, open_regular
from ebprof.errors import BadFileError, NoTargetError, UsageError
from ebprof.events._protocol import Processes
from ebprof.events._traced import TracedEvent
from ebprof.procfs.maps import MapsEntry, open_object, read_maps
from ebprof.procfs.process import reading
from ebprof.procfs.text import printable
from ebprof.symbolize.functions import find_functions

PREFIX = "u:"
ALL = -1
_OFFSET = re.compile(r"0x[0-9a-fA-F]{1,16}")
_WORD = re.compile(r"\w*")
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

    def __init__(self, name: str, places: Sequence[Place]) -> None:
        super().__init__(name)
        self._places = places

    def attach(
        self, session: CpuSession, rate: Rate, scopes: Sequence[Scope], *, idle: bool
    ) -> None:
        """Attach to each place; raises UnsupportedError when the kernel refuses one."""
        for place in self._places:
            session.attach_function(place.path, place.offset, place.pid)


def find(name: str, processes: Processes) -> UserFunction | None:
    """Raises UsageError, NoTargetError or BadFileError when there is no such function."""
    if not name.startswith(PREFIX):
        return None
    path, what = _split(name.removeprefix(PREFIX))
    if not what:
        raise UsageError(f"no function in {name!r}", _FORMS)
    if path:
        with closing(_open_file(path)) as file:
            offsets = _offsets(file, what)
        if not offsets:
            raise NoTargetError(f"no function {what!r} in {printable(path)}", _SYMBOLS)
        where = (ALL,) if processes.follow else processes.pids or (ALL,)
        places = [Place(path, offset, pid) for pid in where for offset in offsets]
        return UserFunction(_perf_name(path, what), places)
    if not processes.pids:
        raise UsageError(f"{name!r} names no file", _FORMS)
    return _in_processes(what, processes)


def known() -> Iterable[tuple[str, str]]:
    """The forms: there are too many functions."""
    yield "u:/path/lib.so:function", "calls of a function, in all that map the file"
    yield "u:/path/lib.so:0x1234", "code at an offset of a file"
    yield "u:function", "with -p or a command: of its executable, else of its libraries"


def _split(words: str) -> tuple[str, str]:
    """Path (or nothing) and function, of which either may hold colons: the path is a file's."""
    if not words.startswith("/"):
        return "", words
    colons = [place for place, letter in enumerate(words) if letter == ":"]
    for place in colons:
        if Path(words[:place]).is_file():
            return words[:place], words[place + 1 :]
    path, _, what = words.rpartition(":") if colons else (words, "", "")
    return path, what


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
        for entry, offsets in _found_in(pid, what):
            path = f"/proc/{pid}/map_files/{entry.start:x}-{entry.end:x}"
            places.extend(Place(path, offset, where) for offset in offsets)
            name = name or _perf_name(entry.path, what)
            break
    if not places:
        pids = ",".join(map(str, processes.pids))
        raise NoTargetError(
            f"no function {what!r} in what PID {pids} maps",
            "name its file: u:/path:function",
        )
    return UserFunction(name, places)


def _found_in(pid: int, what: str) -> Iterator[tuple[MapsEntry, list[int]]]:
    with reading(pid):
        executable = Path(f"/proc/{pid}/exe").stat().st_ino
    entries = {(one.device, one.inode): one for one in read_maps(pid) if one.inode}
    for entry in sorted(entries.values(), key=lambda one: one.inode != executable):
        with suppress(BadFileError), closing(open_object(pid, entry)) as file:
            offsets = _offsets(file, what)
            if offsets:
                yield entry, offsets


def _perf_name(path: str, what: str) -> str:
    """As `perf probe` names it: `probe_libc:malloc`, `probe_libc:abs_1234`."""
    group = _WORD.match(Path(path).name)
    event = f"abs_{int(what, 16):x}" if _OFFSET.fullmatch(what) else what
    return printable(f"probe_{group[0] if group else ''}:{event}")
