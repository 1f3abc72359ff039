"""What samples have no names for, and what to do about it: runtimes that keep names to themselves,
and files without symbols.

Only the samples are looked at: paths of modules and names of functions. So a saved profile tells
the same as a run, and nothing is read from processes. Processes choose both: they can make a line
here wrong, or as long as a path, and no more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ebprof.model import KERNEL_PATH, NONE, Samples, grouped
from ebprof.model.columns import Lists, Numbers, Tables, sums
from ebprof.procfs.text import printable

MOST_LINES = 5
MIN_SHARE = 0.05
"""Of a process's samples, or of a run's for files: less does not matter."""
MIN_OF_RUN = 0.01
MIN_SAMPLES = 5

_MOST_PIDS = 3
_NAMELESS = re.compile(r"\[(.+)\]\+0x[0-9a-f]+")
_C_LIBRARY = re.compile(
    r"(lib(c|m|pthread|rt|dl)([-.][\d.]+)?\.so.*|ld(-linux.*|-musl.*|-[\d.]+)\.so.*|libc\.musl.*|\[vdso\])"
)
_IN_MEMORY = re.compile(r"anon|memfd:.*")
_SEE = "docs/symbols.md"
_UNSEEN = ("no_mapping", "no_table_yet")
"""Stops of stacks in code that may well be in a file: ebprof does not know what is mapped there."""


@dataclass(frozen=True, slots=True)
class Nameless:
    """Samples without names. what: a runtime with its version, or the path of a file.

    pids: of a runtime, those with the most such samples first. samples: how many there are; share:
    of all samples of these processes or, for a file, of all. text: a sentence for people, with what
    to do.
    """

    what: str
    pids: tuple[int, ...]
    samples: int
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class _Runtime:
    """name: for people. module: the name of its file. advice: what to do, by the version."""

    name: str
    module: re.Pattern[str]
    advice: Callable[[str], str]


def _python_advice(version: str) -> str:
    start = "`python -X perf` or PYTHONPERFSUPPORT=1"
    if version and tuple(map(int, version.split("."))) >= (3, 12):
        return f"start it with {start}"
    return f"Python 3.12 and later has them when started with {start}"


_PYTHON = _Runtime("Python", re.compile(r".*python(\d+\.\d+).*"), _python_advice)
"""Its loop is seen by its name: it may be in any program."""
_COMPILERS = (
    _Runtime(
        "Node.js",
        re.compile(r"node(js)?|libnode\.so.*"),
        lambda _: "start it with `node --perf-basic-prof`",
    ),
    _Runtime(
        "Java",
        re.compile(r"libjvm\.so"),
        lambda _: (
            "run `jcmd PID Compiler.perfmap` while it is sampled (JDK 17 and later), "
            "or start it with an agent such as perf-map-agent"
        ),
    ),
    _Runtime(
        ".NET", re.compile(r"libcoreclr\.so"), lambda _: "start it with DOTNET_PerfMapEnabled=1"
    ),
    _Runtime("Erlang", re.compile(r"beam(\.smp)?"), lambda _: "start it with `erl +JPperf map`"),
    _Runtime("QEMU", re.compile(r"qemu-.*"), lambda _: "start it with -perfmap (QEMU 8 and later)"),
)
_UNKNOWN = _Runtime(
    "code in no file, as of a just-in-time compiler",
    re.compile(r"(?!)"),
    lambda _: f"/tmp/perf-PID.map has them where its runtime can write one, see {_SEE}",
)
_LOOP = re.compile(r"_?PyEval_EvalFrame(Default|Ex)( \[clone.*)?|_TAIL_CALL_\w+")

# What is known of a location, bit by bit; a bit more for each of _COMPILERS.
_KERNEL, _BARE, _ANON, _MAPPED, _IN_C, _IN_LOOP = (1 << bit for bit in range(6))
_FIRST_COMPILER = 6
_NOWHERE = np.iinfo(np.int64).max


@dataclass(slots=True)
class _Process:
    """Samples of one process: all; those in each runtime's code without names."""

    total: int = 0
    seen: int = 0
    in_loop: Counter[str] = field(default_factory=Counter)
    in_anon: int = 0
    on_anon: int = 0


class NameGaps:
    """Adds up samples whose frames have no names, process by process and file by file."""

    def __init__(self) -> None:
        self._bits = _Bits()
        self._total = 0
        self._processes: dict[int, _Process] = {}
        self._files: Counter[str] = Counter()

    def add(self, samples: Samples) -> None:
        """Add samples up."""
        if not len(samples):
            return
        self._total += samples.total
        strings = samples.tables.strings
        unseen = [one for one in np.unique(samples.rows["stop"]) if strings[one] in _UNSEEN]
        looked_at = _looked_at(samples, np.append(self._bits.of(samples.tables), 0))
        is_seen = ~np.isin(samples.rows["stop"], unseen)
        pids, of_row = np.unique(samples.rows["pid"], return_inverse=True)
        processes = [self._processes.setdefault(pid, _Process()) for pid in pids.tolist()]
        self._add_processes(processes, of_row.reshape(-1), samples.counts, is_seen, looked_at)
        self._add_loops(processes, of_row.reshape(-1), samples, looked_at)
        self._add_files(samples, looked_at)

    def _add_processes(
        self,
        processes: list[_Process],
        of_row: Numbers,
        counts: Numbers,
        is_seen: NDArray[np.bool_],
        found: _LookedAt,
    ) -> None:
        size = len(processes)
        seen = np.zeros(size, np.int64)
        np.bitwise_or.at(seen, of_row, found.bits)
        columns = (
            seen,
            sums(of_row, counts, size),
            sums(of_row, counts * (is_seen & (found.bits & _ANON != 0)), size),
            sums(of_row, counts * (is_seen & found.ends_in_anon), size),
        )
        for one, bits, total, in_anon, on_anon in zip(
            processes, *(column.tolist() for column in columns), strict=True
        ):
            one.seen |= bits
            one.total += total
            one.in_anon += in_anon
            one.on_anon += on_anon

    def _add_loops(
        self, processes: list[_Process], of_row: Numbers, samples: Samples, found: _LookedAt
    ) -> None:
        rows = np.flatnonzero(found.loop != NONE)
        groups = grouped(of_row[rows], found.loop[rows]) if len(rows) else None
        if groups is None:
            return
        first, counts = rows[groups.first], groups.sums(samples.counts[rows])
        columns = of_row[first].tolist(), found.loop[first].tolist(), counts.tolist()
        for process, location, count in zip(*columns, strict=True):
            version = _PYTHON.module.fullmatch(_path(samples.tables, location))
            processes[process].in_loop[version[1] if version else ""] += count

    def _add_files(self, samples: Samples, found: _LookedAt) -> None:
        rows = np.flatnonzero(found.file != NONE)
        size = len(samples.tables.locations)
        counts = sums(found.file[rows], samples.counts[rows], size)
        for location in np.flatnonzero(counts).tolist():
            self._files[_module(samples.tables, location)] += int(counts[location])

    def found(self) -> tuple[Nameless, ...]:
        """What matters, the most samples first."""
        found = [*self._of_runtimes(), *self._of_files()]
        return tuple(sorted(found, key=lambda one: (-one.samples, one.what)))

    def _of_runtimes(self) -> Iterator[Nameless]:
        groups: dict[tuple[_Runtime, str], dict[int, int]] = {}
        for pid, process in self._processes.items():
            for runtime, version, count in _gaps_of(process):
                if count >= MIN_SHARE * process.total:
                    groups.setdefault((runtime, version), {})[pid] = count
        for (runtime, version), by_pid in groups.items():
            count = sum(by_pid.values())
            if count >= max(MIN_SAMPLES, MIN_OF_RUN * self._total):
                total = sum(self._processes[pid].total for pid in by_pid)
                pids = tuple(sorted(by_pid, key=lambda pid: (-by_pid[pid], pid)))
                yield _of_runtime(runtime, version, pids, count, count / total)

    def _of_files(self) -> Iterator[Nameless]:
        for path, count in self._files.items():
            share = count / self._total
            if count >= MIN_SAMPLES and share >= MIN_SHARE:
                shown = printable(path)
                text = (
                    f"{shown} has no symbols for {_percent(share)} of the samples: "
                    f"install its debug symbols, see {_SEE}"
                )
                yield Nameless(shown, (), count, share, text)


def nameless_in(samples: Samples, apart: Iterable[int] = ()) -> tuple[Nameless, ...]:
    """What has no names in some samples, but for those of some processes."""
    gaps = NameGaps()
    gaps.add(samples.take(~np.isin(samples.rows["pid"], list(apart))))
    return gaps.found()


def lines_of(found: Iterable[Nameless]) -> list[str]:
    """A line for each, at most MOST_LINES, then how many more there are."""
    texts = [one.text for one in found]
    more = len(texts) - MOST_LINES
    return texts[:MOST_LINES] + ([f"and {more} more without names"] if more > 0 else [])


def _gaps_of(process: _Process) -> Iterator[tuple[_Runtime, str, int]]:
    """Runtimes of a process, their version, and how many of its samples have no names for it."""
    for version, count in process.in_loop.items():
        yield _PYTHON, version, count
    if process.in_anon:
        for bit, runtime in enumerate(_COMPILERS, _FIRST_COMPILER):
            if process.seen >> bit & 1:
                yield runtime, "", process.in_anon
                return
        yield _UNKNOWN, "", process.on_anon


def _of_runtime(
    runtime: _Runtime, version: str, pids: tuple[int, ...], count: int, share: float
) -> Nameless:
    what = f"{runtime.name} {version}".strip()
    whom, verb, whose = _whom(pids)
    if runtime is _UNKNOWN:
        verb = "runs" if len(pids) == 1 else "run"
    advice = runtime.advice(version)
    if len(pids) == 1 and pids[0] > 0:
        advice = advice.replace("PID", str(pids[0]))
    text = (
        f"{whom} {verb} {what}: {whose} functions have no names here "
        f"({_percent(share)} of {whose} samples): {advice}"
    )
    return Nameless(what, tuple(pid for pid in pids if pid > 0), count, share, text)


def _whom(pids: tuple[int, ...]) -> tuple[str, str, str]:
    """The subject of a sentence, its verb and pronoun."""
    if len(pids) == 1:
        return (f"PID {pids[0]}" if pids[0] > 0 else "a process"), "is", "its"
    first, more = pids[:_MOST_PIDS], len(pids) - _MOST_PIDS
    if more > 0:
        return f"PIDs {', '.join(map(str, first))} and {more} more", "are", "their"
    return f"PIDs {', '.join(map(str, first[:-1]))} and {first[-1]}", "are", "their"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


@dataclass(frozen=True, slots=True, eq=False)
class _LookedAt:
    """Of each sample: what all of its locations are, in bits; whether the innermost one of the
    program is bare memory; the location of a loop of Python whose functions have no names, and that
    of a function in a file without a name, where the sample is to blame on one; else NONE.
    """

    bits: NDArray[np.int64]
    ends_in_anon: NDArray[np.bool_]
    loop: NDArray[np.int64]
    file: NDArray[np.int64]


def _looked_at(samples: Samples, bits: NDArray[np.int64]) -> _LookedAt:
    """bits: int64[locations + 1], the last one for NONE."""
    chosen, of_row = np.unique(samples.rows["stack"], return_inverse=True)
    of_row = of_row.reshape(-1)
    stacks = samples.tables.stacks.take(chosen)
    on_stacks = bits[stacks.items]
    is_user = on_stacks & _KERNEL == 0
    leaf = _first(stacks, is_user)
    doer = _first(stacks, is_user & (on_stacks & _IN_C == 0))
    loop = _first(stacks, on_stacks & _IN_LOOP != 0)
    every = _every(stacks, on_stacks)
    loop[every & _MAPPED != 0] = NONE
    nameless = np.where(
        _is_in_file(leaf, bits), leaf, np.where(_is_in_file(doer, bits), doer, NONE)
    )
    nameless[(loop != NONE) | (every & _ANON != 0)] = NONE
    ends_in_anon = bits[leaf] & _ANON != 0
    return _LookedAt(every[of_row], ends_in_anon[of_row], loop[of_row], nameless[of_row])


def _is_in_file(locations: NDArray[np.int64], bits: NDArray[np.int64]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = bits[locations] & (_BARE | _ANON) == _BARE
    return found


def _first(stacks: Lists, is_wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """int64[stacks]: the innermost location that is wanted, or NONE."""
    found = np.full(len(stacks), NONE, np.int64)
    has_any = np.flatnonzero(stacks.lengths)
    if len(has_any):
        places = np.where(is_wanted, np.arange(len(is_wanted)), _NOWHERE)
        first = np.minimum.reduceat(places, stacks.starts[has_any])
        is_there = first != _NOWHERE
        found[has_any[is_there]] = stacks.items[first[is_there]]
    return found


def _every(stacks: Lists, bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[stacks]: the bits of all locations of each."""
    found = np.zeros(len(stacks), np.int64)
    has_any = np.flatnonzero(stacks.lengths)
    if len(has_any):
        found[has_any] = np.bitwise_or.reduceat(bits, stacks.starts[has_any])
    return found


class _Bits:
    """What locations are, in bits; of tables that go on, only what is new is looked at."""

    def __init__(self) -> None:
        self._lineage: object = None
        self._known = np.zeros(0, np.int64)

    def of(self, tables: Tables) -> NDArray[np.int64]:
        """int64[locations]."""
        if tables.lineage is not self._lineage:
            self._lineage, self._known = tables.lineage, np.zeros(0, np.int64)
        done = len(self._known)
        if done < len(tables.locations):
            self._known = np.append(self._known, _bits_from(tables, done))
        return self._known


def _bits_from(tables: Tables, start: int) -> NDArray[np.int64]:
    """int64[locations after start]."""
    mappings = tables.locations["mapping"][start:]
    functions = _functions(tables, start)
    of_mapping = {NONE: 0} | {
        one: _bits_of_module(tables.strings[tables.mappings["path"][one]])
        | (_MAPPED if tables.mappings["limit"][one] == 0 else 0)
        for one in np.unique(mappings).tolist()
        if one != NONE
    }
    of_function = {NONE: 0} | {
        one: _bits_of_function(tables.strings[tables.functions["name"][one]])
        for one in np.unique(functions).tolist()
        if one != NONE
    }
    pairs = zip(mappings.tolist(), functions.tolist(), strict=True)
    return np.fromiter(
        (_together(of_mapping[one], of_function[other]) for one, other in pairs), np.int64
    )


def _together(of_mapping: int, of_function: int) -> int:
    """A mapping without an extent is a runtime's, if it has a name for the code."""
    if of_function & _BARE or of_mapping & _KERNEL:
        of_mapping &= ~_MAPPED
    return of_mapping | of_function


def _functions(tables: Tables, start: int) -> NDArray[np.int64]:
    """int64[locations after start]: the function of each one's innermost frame, or NONE."""
    frames = tables.location_frames
    found = np.full(len(frames) - start, NONE, np.int64)
    has_any = np.flatnonzero(frames.lengths[start:])
    first = frames.items[frames.starts[start:-1][has_any]]
    found[has_any] = tables.frames["function"][first]
    return found


def _bits_of_module(path: str) -> int:
    if path == KERNEL_PATH:
        return _KERNEL
    name = path.rpartition("/")[2]
    found = _IN_C if _C_LIBRARY.fullmatch(name) else 0
    for bit, runtime in enumerate(_COMPILERS, _FIRST_COMPILER):
        if runtime.module.fullmatch(name):
            found |= 1 << bit
    return found


def _bits_of_function(name: str) -> int:
    if bare := _NAMELESS.fullmatch(name):
        return _BARE | (_ANON if _IN_MEMORY.fullmatch(bare[1]) else 0)
    if name.startswith("py::"):
        return _MAPPED
    return _IN_LOOP if _LOOP.fullmatch(name) else 0


def _path(tables: Tables, location: int) -> str:
    """The path of a location's mapping; empty where there is none."""
    mapping = int(tables.locations["mapping"][location])
    return "" if mapping == NONE else tables.strings[tables.mappings["path"][mapping]]


def _module(tables: Tables, location: int) -> str:
    """The same of a function without a name, which says it where the mapping does not."""
    frame = tables.location_frames[location][0]
    function = tables.functions[tables.frames["function"][frame]]
    bare = _NAMELESS.fullmatch(tables.strings[function["name"]])
    return _path(tables, location) or (bare[1] if bare else "")
