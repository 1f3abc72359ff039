"""Pushes of agents that do not exist: 64 series a window, 2,000 distinct stacks a minute each."""

from __future__ import annotations

import gzip
import uuid
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ebprof.agent.encoding import Encoder
from ebprof.model import KERNEL_PATH, Builder, Frame, Location, Mapping, Profile
from ebprof.wire.push import PushRequest

SERIES = 64
WINDOWS = 6
"""Of a minute; they are sent again in the next one."""
WINDOW_S = 10
STACKS = 2_000
DEPTH = 24
FUNCTIONS = 600
SAME_PROGRAMS = 10
"""Agents that run the same programs, and see the same stacks."""
_PERIOD_NS = 10**9 // 19
_KERNEL = Mapping(KERNEL_PATH, start=0xFFFFFFFF81000000, limit=0xFFFFFFFF82000000)


@dataclass(frozen=True, slots=True)
class Template:
    """A window of one agent: a push without the agent's name and IDs, and its samples."""

    message: bytes
    samples: int

    def push(self, agent: int) -> tuple[bytes, int]:
        """The body of a push by gzip, and its number of profiles."""
        message: Any = PushRequest.FromString(self.message)
        for series in message.series:
            series.labels.add(name="node", value=f"node-{agent}")
            for sample in series.samples:
                sample.ID = str(uuid.uuid4())
        return gzip.compress(message.SerializeToString(), 1), len(message.series)


def templates(agents: int) -> list[list[Template]]:
    """The windows of a minute of each group of agents that run the same programs."""
    groups = max(1, agents // SAME_PROGRAMS)
    return [_windows(np.random.default_rng(group), group) for group in range(groups)]


def _windows(random: np.random.Generator, group: int) -> list[Template]:
    """Each stack is in about every third window, in one series."""
    programs = [_Program(random, f"g{group}-{number % 16}") for number in range(SERIES)]
    per_series = STACKS // SERIES
    chosen = random.random((WINDOWS, SERIES, per_series)) < 1 / 3
    chosen[0] |= ~chosen.any(axis=0)  # each is there once a minute at least
    return [_window(random, programs, one) for one in chosen]


class _Program:
    """A series: a process of a service, with stacks of its own."""

    def __init__(self, random: np.random.Generator, service: str) -> None:
        self.service = service
        self.process = f"p{int(random.integers(1000))}"
        self._builder = Builder()
        build_id = random.bytes(20).hex()
        places = [
            _location(self._builder, service, build_id, number) for number in range(FUNCTIONS)
        ]
        paths = [_path(random, number) for number in range(STACKS // SERIES)]
        self._stacks = [self._builder.stack([places[one] for one in path]) for path in paths]

    def profile(self, random: np.random.Generator, chosen: np.ndarray) -> Profile:
        for number in np.flatnonzero(chosen).tolist():
            count = int(random.geometric(0.5))
            self._builder.add(self._stacks[number], count, stop="complete")
        return Profile(self._builder.take(), period=_PERIOD_NS, duration_ns=WINDOW_S * 10**9)


def _path(random: np.random.Generator, number: int) -> list[int]:
    """Leaf first: stacks have the outer half in common with a quarter of the others."""
    outer = np.random.default_rng(number % 4).integers(0, FUNCTIONS, DEPTH // 2)
    return [*random.integers(0, FUNCTIONS, DEPTH - DEPTH // 2).tolist(), *outer.tolist()]


def _location(builder: Builder, service: str, build_id: str, number: int) -> int:
    """A third of all frames are named on the node: the kernel's, and those of a JIT."""
    if number % 6 == 0:
        name = f"kernel_function_number_{number}"
        return builder.location(Location(0xFFFFFFFF81000000 + number, _KERNEL, (Frame(name),)))
    if number % 6 == 3:
        frame = Frame(f"ns::Class{number % 37}::method_{number}(int, char const*)", "a.cc", number)
        return builder.location(Location(16 * number, Mapping("//anon"), (frame,)))
    mapping = Mapping(f"/usr/bin/{service}", build_id, 0x400000, 0x900000, 0x1000)
    address = 0x400000 + 64 * number
    name = f"[{service}]+{address - mapping.start + mapping.offset:#x}"
    return builder.location(Location(address, mapping, (Frame(name),)))


def _window(random: np.random.Generator, programs: list[_Program], chosen: np.ndarray) -> Template:
    message: Any = PushRequest()
    samples = 0
    for number, program in enumerate(programs):
        profile = program.profile(random, chosen[number])
        if not profile.total:
            continue
        samples += profile.total
        series = message.series.add()
        labels = {
            "__name__": "process_cpu",
            "service_name": program.service,
            "process": program.process,
            "container_id": f"{number:064x}",
            "cgroup": f"/system.slice/{program.service}.service",
        }
        for name, value in labels.items():
            series.labels.add(name=name, value=value)
        series.samples.add(raw_profile=Encoder().encode(replace(profile, time_ns=0)))
    return Template(message.SerializeToString(), samples)
