"""Ranges of time in which nothing changes, and such in which something does, by random numbers.

What varies anyway: the load of a service, which is like that of the window before; samples, which
are taken by chance; callers that call now and then; jobs that run for a minute each some minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ebprof.changes import Observation, Spans, Subject, Table

Floats = NDArray[np.float64]
SERVICE = "redis"


@dataclass(frozen=True)
class Scene:
    """windows: of each range, of window_s. past: ranges before. cores: of the service, sampled
    samples_s times a second and core. alike: how much a window's load is like that before (AR(1)),
    swing: by how much it varies (log).
    """

    windows: int = 90
    window_s: float = 10
    past: int = 4
    functions: int = 150
    cores: float = 1.0
    samples_s: float = 19
    callers: int = 12
    rare: int = 6
    alike: float = 0.8
    swing: float = 0.2
    grown: Mapping[int, float] = field(default_factory=dict)

    @property
    def spans(self) -> Spans:
        total = self.windows * (self.past + 1)
        at = np.arange(total)
        after = at >= total - self.windows
        before = ~after & (at >= total - 2 * self.windows)
        starts = (at * self.window_s * 1000).astype(np.int64)
        return Spans(starts, np.full(total, self.window_s), before, after, ~after)


def observe(scene: Scene, random: np.random.Generator) -> Observation:
    """A scene, once."""
    spans = scene.spans
    load = swings(scene, random, 1)[0]
    return Observation(
        spans,
        {
            "functions.cores": functions(scene, random, load),
            **callers(scene, random, load),
            "processes.cores": processes(scene, random, load),
        },
    )


def swings(scene: Scene, random: np.random.Generator, count: int) -> Floats:
    """float64[count, windows]: around 1, each like that of the window before."""
    total = len(scene.spans.starts)
    noise = random.standard_normal((count, total))
    found = np.empty((count, total))
    found[:, 0] = noise[:, 0]
    rest = np.sqrt(1 - scene.alike**2)
    for at in range(1, total):
        found[:, at] = scene.alike * found[:, at - 1] + rest * noise[:, at]
    return np.asarray(np.exp(scene.swing * found - scene.swing**2 / 2))


def functions(scene: Scene, random: np.random.Generator, load: Floats) -> Table:
    """Functions of a service, few of which have most of its samples."""
    shares = 1 / np.arange(1, scene.functions + 1)
    shares /= shares.sum()
    own = swings(replace(scene, swing=scene.swing / 2), random, scene.functions)
    expected = scene.cores * scene.samples_s * scene.window_s * shares[:, None] * own * load
    for row, factor in scene.grown.items():
        expected[row, scene.spans.after] *= factor
    return sampled(scene, random, expected, "f")


def processes(scene: Scene, random: np.random.Generator, load: Floats) -> Table:
    shares = np.array([0.9, 0.08, 0.015, 0.005])
    expected = scene.cores * scene.samples_s * scene.window_s * shares[:, None] * load
    return sampled(scene, random, expected, "p")


def sampled(scene: Scene, random: np.random.Generator, expected: Floats, name: str) -> Table:
    quantum = 1 / scene.samples_s
    values = np.asarray(random.poisson(expected) * quantum, np.float64)
    subjects = tuple(Subject(SERVICE, f"{name}{row}") for row in range(len(values)))
    return Table(subjects, values, np.full(len(values), quantum), {SERVICE: values.sum(axis=0)})


def callers(scene: Scene, random: np.random.Generator, load: Floats) -> dict[str, Table]:
    """Some that call all the time, and some that call now and then."""
    total = len(load)
    sizes = random.lognormal(12, 1.5, scene.callers)
    steady = sizes[:, None] * swings(scene, random, scene.callers) * load
    shots = random.random((scene.rare, total)) < random.uniform(0.002, 0.1, scene.rare)[:, None]
    length = int(random.integers(1, 2 + scene.windows // 15))
    shots = np.array([np.convolve(one, np.ones(length))[:total] for one in shots]) > 0
    rare = shots * random.lognormal(13, 1, shots.shape)
    sent = np.concatenate([steady, rare])
    subjects = tuple(Subject(SERVICE, f"caller{row}") for row in range(len(sent)))
    connections = random.poisson(np.concatenate([np.full(steady.shape, 3.0), 1.0 * shots]))
    nothing = np.zeros(len(sent))
    return {
        f"callers.{measure}": Table(subjects, values, nothing, {SERVICE: values.sum(axis=0)})
        for measure, values in (
            ("bytes_in", sent),
            ("bytes_out", sent / 10),
            ("connections", connections.astype(np.float64)),
        )
    }
