"""How workloads are started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from tests import targets
from tests.proof.workload import Aim, Start


class Process(Protocol):
    """What runs."""

    @property
    def pid(self) -> int:
        """Process ID."""


def process(open_process: Callable[[], AbstractContextManager[Process]]) -> Start:
    """Profile a process that a context manager starts and ends."""

    @contextmanager
    def start() -> Iterator[Aim]:
        with open_process() as running:
            yield Aim(options=("-p", running.pid), pid=running.pid)

    return start


def program(name: str, *args: object, variant: str = "default") -> Start:
    """Profile one of tests/programs while it runs."""
    return process(lambda: targets.running(name, *args, variant=variant))


def program_from_start(name: str, seconds: int, *args: object) -> Start:
    """Profile one of tests/programs from its first instruction, and its children."""

    @contextmanager
    def start() -> Iterator[Aim]:
        yield Aim(command=(targets.build(name), seconds, *args))

    return start
