"""speedscope's JSON, for https://www.speedscope.app (which keeps files in the browser).

One `sampled` profile a process, the one with most samples first, in order of size.
Schema: https://www.speedscope.app/file-format-schema.json
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import numpy as np

import ebprof
from ebprof.model import Profile, Samples, grouped
from ebprof.output._functions import FunctionIndex, Lines, index_functions
from ebprof.output._measure import divisor
from ebprof.output._text import UNKNOWN_COMM, printable
from ebprof.output._window import without_times

SUFFIXES = (".speedscope.json", ".speedscope")

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
UNITS = frozenset(("bytes", "microseconds", "milliseconds", "nanoseconds", "seconds"))


def write(profile: Profile, file: BinaryIO) -> None:
    """Write the stacks; weights are in the profile's unit where speedscope knows it."""
    profile = without_times(profile)
    index = index_functions(profile)
    document = {
        "$schema": SCHEMA,
        "name": printable(f"{profile.subject.name} profile"),
        "exporter": f"ebprof {ebprof.__version__}",
        "activeProfileIndex": 0,
        "shared": {"frames": _frames(index)},
        "profiles": [_process(profile, index, samples) for samples in _processes(profile)],
    }
    file.write(json.dumps(document, separators=(",", ":")).encode())


def _frames(index: FunctionIndex) -> list[dict[str, Any]]:
    pairs = zip(index.functions, index.lines, strict=True)
    return [_frame(function.name, function.file, lines) for function, lines in pairs]


def _frame(name: str, file: str, lines: Lines) -> dict[str, Any]:
    frame: dict[str, Any] = {"name": name}
    if file:
        frame["file"] = file
    # speedscope takes frames that differ in line for different functions.
    if lines.first and lines.first == lines.last:
        frame["line"] = lines.first
    return frame


def _processes(profile: Profile) -> list[Samples]:
    """Samples by process, the process with most of them first."""
    samples = profile.samples
    pids, comms = samples.rows["pid"], samples.rows["comm"]
    # Formats without a pid give 0 for all; comms are all that tells them apart.
    processes = grouped(pids, np.where(pids, 0, comms))
    counts = processes.sums(samples.counts).tolist()
    order = np.argsort(processes.of_row, kind="stable")
    ends = np.cumsum(np.bincount(processes.of_row, minlength=len(counts)))
    members = np.split(order, ends[:-1])
    ranked = sorted(range(len(counts)), key=counts.__getitem__, reverse=True)
    return [samples.take(members[number]) for number in ranked if len(members[number])]


def _process(profile: Profile, index: FunctionIndex, samples: Samples) -> dict[str, Any]:
    unit, weight = _weight(profile)
    stacks = samples.tables.stacks.take(samples.rows["stack"])
    return {
        "type": "sampled",
        "name": _name(samples),
        "unit": unit,
        "startValue": 0,
        "endValue": samples.total * weight,
        "samples": list(index.paths(stacks).values()),
        "weights": [count * weight for count in samples.counts.tolist()],
    }


def _weight(profile: Profile) -> tuple[str, float]:
    """The unit of weights, and what a count of one weighs."""
    unit, parts = profile.subject.unit, divisor(profile.subject.unit)
    weight = profile.period if profile.is_sampled else 1
    if weight > 0 and unit in UNITS:
        return unit, weight
    return "none", 1 if parts == 1 else 1 / parts


def _name(samples: Samples) -> str:
    """The comm that most samples carry (threads have their own), and the pid."""
    groups = samples.by("comm")
    counts = groups.sums(samples.counts).tolist()
    most = groups.first[counts.index(max(counts))]
    pid, comm = int(samples.rows["pid"][0]), samples.tables.strings[samples.rows["comm"][most]]
    comm = printable(comm) or UNKNOWN_COMM
    return f"{comm} ({pid})" if pid else comm
