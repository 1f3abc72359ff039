"""Runtimes of third parties: asked after ours, and held to what they promise."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ebprof import plugins
from ebprof.symbolize import Symbolizer, runtimes
from ebprof.symbolize.source import Call
from ebprof.walls import Walls

CODE = 0x7000


class Symbols:
    """Names `CODE`, by a function that may do anything."""

    path = "third\nparty"
    warnings: tuple[str, ...] = ()

    def __init__(self, find: Callable[[int], Any]) -> None:
        self.find = find
        self.forgotten = False

    def refresh(self) -> None: ...

    def close(self) -> None: ...

    def forget(self) -> None:
        self.forgotten = True


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Makes all runtimes that there are: what this is given."""

    def add(symbols: object) -> None:
        one = SimpleNamespace(open_process=lambda *_: symbols, open_object=lambda _: symbols)
        monkeypatch.setattr(runtimes, "_names", lambda: ["third"])
        monkeypatch.setattr(plugins, "load", lambda *_: one)

    return add


def answer(address: int) -> tuple[Call, ...]:
    return (Call("na\nme", "fi\nle", 7),) if address == CODE else ()


def test_names_are_taken_and_made_printable(add: Callable[[object], None]) -> None:
    add(Symbols(answer))
    found = Symbolizer(cache=None).jit_locations(os.getpid(), [CODE, CODE + 1])
    (frame,) = found[CODE].frames
    assert (frame.function, frame.file, frame.line) == ("na\ufffdme", "fi\ufffdle", 7)
    mapping = found[CODE].mapping
    assert mapping is not None
    assert mapping.path == "third\ufffdparty"
    assert found[CODE + 1].frames[0].function == f"[anon]+0x{CODE + 1:x}"


def fail(address: int) -> tuple[Call, ...]:
    raise RuntimeError("out of order")


@pytest.mark.usefixtures("walls_hold")
def test_one_that_raises_costs_what_was_asked(add: Callable[[object], None]) -> None:
    add(Symbols(fail))
    walls = Walls()
    found = Symbolizer(cache=None, walls=walls).jit_locations(os.getpid(), [CODE, CODE + 1])
    assert len(found) == 2
    assert walls.failed == 2
    (first, *_) = walls.warnings
    assert first.startswith(f"names by third, PID {os.getpid()}: RuntimeError: out of order (")


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        (Symbols(lambda _: ["x"]), "plug-in third failed: what it finds is no tuple of calls"),
        (Symbols(lambda _: ("x",)), "plug-in third failed: what it finds is no tuple of calls"),
        (object(), "plug-in third failed: what it opens is no ProcessSymbols"),
    ],
)
def test_one_that_fails_costs_one_warning(
    add: Callable[[object], None], symbols: object, message: str
) -> None:
    add(symbols)
    symbolizer = Symbolizer(cache=None)
    found = symbolizer.jit_locations(os.getpid(), [CODE, CODE + 1])
    assert len(found) == 2
    assert symbolizer.warnings == (message,)


def test_a_process_that_is_gone_is_forgotten_with_its_warnings_kept(
    add: Callable[[object], None],
) -> None:
    symbols = Symbols(answer)
    symbols.warnings = ("cut short",)
    add(symbols)
    symbolizer = Symbolizer(cache=None)
    symbolizer.watch_jit(os.getpid())
    symbolizer.forget_process(os.getpid())
    assert symbols.forgotten
    assert symbolizer.warnings == ("cut short",)
