"""speedscope's JSON, for https://www.speedscope.app (which keeps files in the browser).

One `sampled` profile a process, the one with most samples first, in order of size.
Schema: https://www.speedscope.app/file-format-schema.json
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any, BinaryIO

import ebprof
from ebprof.model import Profile, Sample
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


def _processes(profile: Profile) -> list[list[Sample]]:
    """Samples by process, the process with most of them first."""
    processes: defaultdict[tuple[int, str], list[Sample]] = defaultdict(list)
    for sample in profile.samples:
        # Formats without a pid give 0 for all; comms are all that tells them apart.
        processes[sample.pid, "" if sample.pid else sample.comm].append(sample)
    return sorted(processes.values(), key=_size, reverse=True)


def _size(samples: list[Sample]) -> int:
    return sum(sample.count for sample in samples)


def _process(profile: Profile, index: FunctionIndex, samples: list[Sample]) -> dict[str, Any]:
    unit, weight = _weight(profile)
    return {
        "type": "sampled",
        "name": _name(samples),
        "unit": unit,
        "startValue": 0,
        "endValue": _size(samples) * weight,
        "samples": [list(index.path(sample)) for sample in samples],
        "weights": [sample.count * weight for sample in samples],
    }


def _weight(profile: Profile) -> tuple[str, float]:
    """The unit of weights, and what a count of one weighs."""
    unit, parts = profile.subject.unit, divisor(profile.subject.unit)
    weight = profile.period if profile.is_sampled else 1
    if weight > 0 and unit in UNITS:
        return unit, weight
    return "none", 1 if parts == 1 else 1 / parts


def _name(samples: list[Sample]) -> str:
    """The comm that most samples carry (threads have their own), and the pid."""
    comms: Counter[str] = Counter()
    for sample in samples:
        comms[sample.comm] += sample.count
    comm = printable(comms.most_common(1)[0][0]) or UNKNOWN_COMM
    return f"{comm} ({samples[0].pid})" if samples[0].pid else comm
