"""Many scenarios beside one run of ebprof, for starting it takes long on an emulated machine.

A scenario is a generator. What it does before its first `yield` happens before ebprof starts, what
it does before the second while ebprof records; the second one gives it what was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial

import pytest

from tests.live.traffic.recorded import Recorded, recording

Steps = Generator[None, Recorded, None]
Scenario = Callable[[], Steps]


class Scenarios(dict[str, Scenario]):
    """Scenarios by name; `add` and `add_with` are decorators."""

    def add(self, function: Scenario) -> Scenario:
        """One scenario."""
        self[function.__name__] = function
        return function

    def add_with(self, *arguments: str) -> Callable[[Callable[[str], Steps]], None]:
        """A scenario for each argument."""

        def add(function: Callable[[str], Steps]) -> None:
            for argument in arguments:
                self[f"{function.__name__}-{argument}"] = partial(function, argument)

        return add

    def run(self, backend: str) -> Finished:
        """Play all of them beside one run of ebprof."""
        finished = Finished({name: scenario() for name, scenario in self.items()})
        finished.advance()
        with recording(backend) as running:
            finished.advance()
            finished.recorded = running.stop()
        return finished


class Finished:
    """Scenarios that wait for what was recorded."""

    recorded: Recorded

    def __init__(self, steps: dict[str, Steps]) -> None:
        self._steps = steps
        self._errors: dict[str, BaseException] = {}

    def advance(self) -> None:
        """Play each to its next yield; one that fails harms only itself."""
        for name, steps in self._steps.items():
            if name not in self._errors:
                try:
                    next(steps)
                except (Exception, pytest.skip.Exception) as error:
                    self._errors[name] = error

    def check(self, name: str) -> None:
        """Let a scenario look at what was recorded; raises what it raised, now or before."""
        if name in self._errors:
            raise self._errors[name]
        with suppress(StopIteration):
            self._steps[name].send(self.recorded)
            raise RuntimeError(f"{name} yields more than twice")

    def close(self) -> None:
        """End what scenarios have left running."""
        for steps in self._steps.values():
            steps.close()
