"""Recordings as windows: profiles, and flows of this machine, joined in pairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ebprof.changes.kinds.builds import BUILD, MODULE
from ebprof.changes.observed import TRAFFIC, Floats, Observation, Spans, Subject, Table, table_of
from ebprof.errors import UsageError
from ebprof.model import NONE, FlowRow, Profile, grouped
from ebprof.output._cpu import cpu_ns
from ebprof.output._functions import UNKNOWN, LocationFunctions, is_nameless
from ebprof.output._types import is_bare
from ebprof.procfs.text import printable

MOST_WINDOWS = 100_000
Amounts = dict[Subject, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One recording. seconds: float64[windows], one behind the other from start_ms on.

    has_cores: whether amounts are CPU time; else a second is a sample, and amounts are shares.
    """

    start_ms: int
    seconds: Floats
    tables: Mapping[str, Table]
    has_cores: bool = True


def of_profile(profile: Profile, name: str) -> Recorded:
    """A profile of CPU time, or of samples that nobody knows more of; in windows if it has times.

    name: for errors. Raises UsageError for a profile of anything else.
    """
    each_ns = cpu_ns(profile)
    has_cores = bool(each_ns and profile.duration_ns > 0)
    if not profile.total:
        raise UsageError(f"{name} has no samples", "record longer, or a busier time")
    if not (has_cores or is_bare(profile) or each_ns):
        raise UsageError(f"{name} is no profile of CPU time", "compare it by ebprof diff")
    seconds, at = _windows(profile) if has_cores else (np.array([float(profile.total)]), None)
    each = each_ns / 1e9 if has_cores else 1.0
    functions, builds, processes = _amounts(profile, at, len(seconds), each)
    wholes = {one.service: values for one, values in processes.items()}
    quantum = each * (1 if profile.is_sampled or not has_cores else _least(profile))
    quanta = dict.fromkeys(wholes, quantum)
    return Recorded(
        profile.time_ns // 1_000_000,
        seconds,
        {
            "functions.cores": table_of(functions, quanta, wholes),
            "builds.cores": table_of(builds, quanta, wholes),
            "processes.cores": table_of(processes, quanta, wholes),
        },
        has_cores,
    )


def joined(before: Recorded, after: Recorded) -> Observation:
    """Two recordings to compare; without windows of the same length each is one window."""
    lengths = np.unique(np.concatenate([before.seconds, after.seconds]))
    if len(lengths) > 1:
        before, after = _whole(before), _whole(after)
    sizes = len(before.seconds), len(after.seconds)
    is_after = np.repeat([False, True], sizes)
    starts = [
        one.start_ms + 1000 * (np.cumsum(one.seconds) - one.seconds) for one in (before, after)
    ]
    seconds = np.concatenate([before.seconds, after.seconds])
    spans = Spans(np.concatenate(starts).astype(np.int64), seconds, ~is_after, is_after, ~is_after)
    names = sorted(before.tables.keys() & after.tables.keys())
    tables = {name: _joined(before.tables[name], after.tables[name], sizes) for name in names}
    return Observation(spans, tables)


class FlowWindows:
    """Flows of this machine, added up window by window."""

    def __init__(self) -> None:
        self.windows = 0
        self._found: dict[str, dict[Subject, dict[int, float]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(float))
        )

    def add(self, rows: Iterable[FlowRow]) -> None:
        """Add a window: what flows moved in it, each flow by itself."""
        for row in rows:
            placed = _end_of(row)
            if placed is None:
                continue
            kind, subject = placed
            recent = row.recent
            values = (recent.rx_bytes, recent.tx_bytes, recent.connections, recent.failed_connects)
            for measure, value in zip(TRAFFIC, values, strict=True):
                self._found[f"{kind}.{measure}"][subject][self.windows] += value
        self.windows += 1

    def tables(self, windows: int) -> dict[str, Table]:
        """Tables of so many windows: what came behind them is in the last one."""
        found = {}
        for name in (f"{kind}.{one}" for kind in ("callers", "callees") for one in TRAFFIC):
            amounts: Amounts = {}
            for subject, values in self._found.get(name, {}).items():
                amounts[subject] = np.zeros(windows)
                for at, value in values.items():
                    amounts[subject][min(at, windows - 1)] += value
            found[name] = table_of(amounts)
        return found


def _end_of(row: FlowRow) -> tuple[str, Subject] | None:
    """Whose caller or callee is at the other end; callers on this machine say so themselves."""
    service = printable(row.comm or "-")
    if row.is_other:
        return "callers", Subject("~other", "~other")
    if row.role != "client":
        return "callers", _peer_of(row, service, printable(row.peer_address or "*"))
    if row.peer_comm:
        return None
    address = printable(row.peer_address or "*")
    where = f"[{address}]" if ":" in address else address
    return "callees", Subject(service, f"{where}:{row.port}")


def _peer_of(row: FlowRow, service: str, address: str) -> Subject:
    if not row.peer_comm:
        return Subject(service, address)
    details = (("pid", str(row.peer_pid)),) if row.peer_pid else ()
    return Subject(service, printable(row.peer_comm), details)


def _windows(profile: Profile) -> tuple[Floats, NDArray[np.int64] | None]:
    """Lengths of the windows, and the window of each sample: its slice; None where all is one.

    A slice that the end cuts short belongs to none (-1).
    """
    times = profile.samples.rows["time_ns"]
    count = profile.duration_ns // profile.slice_ns if profile.slice_ns else 0
    if count < 2 or count > MOST_WINDOWS or (times == NONE).any():
        return np.array([profile.duration_ns / 1e9]), None
    at = times.astype(np.int64) // profile.slice_ns
    return np.full(count, profile.slice_ns / 1e9), np.where(at < count, at, -1)


def _amounts(
    profile: Profile, at: NDArray[np.int64] | None, windows: int, each: float
) -> tuple[Amounts, Amounts, Amounts]:
    """Of innermost functions, of the builds that these are of, and of processes."""
    samples = profile.samples
    leaves = _leaves(profile)[samples.rows["stack"]]
    place = np.zeros(len(leaves), np.int64) if at is None else at
    groups = grouped(samples.rows["comm"], leaves, place)
    sums = groups.sums(samples.counts).tolist()
    comms = samples.rows["comm"][groups.first].tolist()
    found_leaves, windows_of = (one[groups.first].tolist() for one in (leaves, place))
    keys = zip(comms, found_leaves, windows_of, sums, strict=True)
    named = _Named(profile)
    found: tuple[Amounts, Amounts, Amounts] = ({}, {}, {})
    for comm, leaf, window, count in keys:
        if window < 0:
            continue
        for amounts, subject in zip(found, named.subjects(comm, leaf), strict=True):
            if subject is not None:
                if subject not in amounts:
                    amounts[subject] = np.zeros(windows)
                amounts[subject][window] += count * each
    return found


def _leaves(profile: Profile) -> NDArray[np.int64]:
    """int64[stacks]: the innermost location of each; -1 for none."""
    stacks = profile.samples.tables.stacks
    items = np.append(stacks.items.astype(np.int64), -1)
    return np.where(stacks.lengths > 0, items[stacks.starts[:-1]], -1)


class _Named:
    """Function, build and process of samples, by process name and innermost location."""

    def __init__(self, profile: Profile) -> None:
        tables = profile.samples.tables
        self._text = tables.strings
        self._functions = LocationFunctions(tables)
        self._mappings = tables.mapping_values
        self._mapping_of = tables.locations["mapping"].tolist()
        self._known: dict[tuple[int, int], tuple[Subject, Subject | None, Subject]] = {}
        self._modules: dict[tuple[str, str], Subject] = {}

    def subjects(self, comm: int, leaf: int) -> tuple[Subject, Subject | None, Subject]:
        """The three of them."""
        key = comm, leaf
        if key not in self._known:
            self._known[key] = self._subjects(printable(self._text[comm]) or UNKNOWN, leaf)
        return self._known[key]

    def _subjects(self, service: str, leaf: int) -> tuple[Subject, Subject | None, Subject]:
        process = Subject(service, service)
        if leaf < 0:
            return Subject(service, "[unknown]"), None, process
        function = self._functions.of(leaf)[0]  # what was inlined belongs to it
        number = self._mapping_of[leaf]
        build_id = "" if number == NONE else self._mappings[number].build_id
        # Where code without a name begins differs from build to build.
        name = f"[{function.module}]" if is_nameless(function.name) else function.name
        module = (MODULE, function.module)
        own = self._modules.setdefault((service, name), Subject(service, name, (module,)))
        if not build_id:
            return own, None, process
        build = Subject(service, function.module, (module, (BUILD, printable(build_id))))
        return own, build, process


def _least(profile: Profile) -> int:
    """The smallest value of a sample: of profiles of values nobody knows what one stands for."""
    counts = profile.samples.counts
    return int(counts[counts > 0].min(initial=np.iinfo(np.int64).max))


def _whole(recorded: Recorded) -> Recorded:
    """The same as one window."""
    tables = {
        name: replace(
            table,
            values=table.values.sum(axis=1, keepdims=True),
            wholes={one: whole.sum(keepdims=True) for one, whole in table.wholes.items()},
        )
        for name, table in recorded.tables.items()
        if table.subjects
    }
    return replace(recorded, seconds=recorded.seconds.sum(keepdims=True), tables=tables)


def _joined(before: Table, after: Table, sizes: tuple[int, int]) -> Table:
    subjects = tuple(dict.fromkeys((*before.subjects, *after.subjects)))
    numbers = {subject: number for number, subject in enumerate(subjects)}
    values, quanta = np.zeros((len(subjects), sum(sizes))), np.zeros(len(subjects))
    for table, place in ((before, slice(0, sizes[0])), (after, slice(sizes[0], None))):
        rows = [numbers[one] for one in table.subjects]
        if rows:
            values[rows, place] = table.values
            quanta[rows] = np.maximum(quanta[rows], table.quanta)
    nothing = [np.zeros(size) for size in sizes]
    wholes = {
        service: np.concatenate(
            [before.wholes.get(service, nothing[0]), after.wholes.get(service, nothing[1])]
        )
        for service in before.wholes.keys() | after.wholes.keys()
    }
    return Table(subjects, values, quanta, wholes)
