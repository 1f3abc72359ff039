"""Arrows go down only: packages stand on floors, and import from floors below their own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ebprof"
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the top down. Those on one floor know nothing of each other. A new package needs a floor.
FLOORS = (
    ("__main__",),
    ("cli",),
    ("commands",),
    ("features", "serving"),
    ("agent", "recording", "top"),
    ("requests", "sampling", "traffic"),
    ("events",),
    ("tables", "unwind"),
    ("bpf", "rows"),
    ("collector",),
    ("changes", "comparison", "identity"),
    ("output",),
    ("screen", "symbolize", "watch"),
    ("walls",),
    ("procfs",),
    ("golang",),
    ("dynamic",),
    ("elf",),
    ("abi", "compression", "plugins", "remote", "signals"),
    ("address", "metrics", "notify", "parent", "secret", "shortnames", "tls"),
    ("__init__", "_native", "durable", "durations", "errors", "index", "model", "stamp", "wire"),
)
# What is below and no business of theirs all the same.
WALLS = {
    "bpf": ("comparison", "elf", "identity", "output", "procfs", "screen", "symbolize"),
    "changes": ("symbolize",),
    "collector": ("elf", "identity", "procfs", "screen", "watch"),
    "comparison": ("symbolize",),
    "recording": ("output",),
    "requests": ("output", "symbolize"),
    "sampling": ("output", "screen"),
    "tables": ("output", "symbolize"),
    "traffic": ("output", "symbolize"),
    "unwind": ("output", "symbolize"),
}
# Packages that are one room: what symbolizers/ holds, symbolize/ finds; enrichers/, the collector.
JOINED = {"symbolizers": "symbolize", "enrichers": "collector"}


def room_of(module: str) -> str:
    """The part of ebprof that a module, or a name in one, is in: "bpf" of "ebprof.bpf.cpu"."""
    name = [*module.split("."), "__init__"][1]
    is_module = any((PACKAGE / f"{name}{end}").exists() for end in ("", ".py", ".pyi"))
    return JOINED.get(name, name) if is_module else "__init__"


def floor_of(room: str) -> int:
    """Counted from the top; fails for what has no floor."""
    floors = [number for number, rooms in enumerate(FLOORS) if room in rooms]
    assert len(floors) == 1, f"{room} is on {len(floors)} floors of FLOORS"
    return floors[0]


def may_import(room: str, other: str) -> bool:
    """Whether what is in one room may import from another."""
    if room == other:
        return True
    return floor_of(room) < floor_of(other) and other not in WALLS.get(room, ())


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(text: str) -> Iterator[str]:
    """Full names of ebprof's modules, and of what is taken out of them, that a text imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if f"{name}.".startswith("ebprof."))


def wrong_imports(module: str, text: str) -> list[str]:
    """What a module imports that it may not."""
    room = room_of(module)
    assert floor_of(room) >= 0
    return [one for one in imports(text) if not may_import(room, room_of(one))]


def test_imports_go_down() -> None:
    texts = {module_name(path): path.read_text() for path in MODULES}
    wrong = {module: wrong_imports(module, text) for module, text in texts.items()}
    assert len(wrong) > 100
    assert {module: names for module, names in wrong.items() if names} == {}


def test_an_import_that_goes_up_is_found() -> None:
    text = "from ebprof import cli, model"
    assert wrong_imports("ebprof.bpf.cpu", text) == ["ebprof.cli"]


def test_what_is_imported_goes_by_its_room() -> None:
    text = """
import os, ebprof.bpf.cpu
from ebprof import __version__, plugins
from ebprof.symbolizers.perf_map import open_process
def later():
    from ebprof.model.values import Frame
"""
    assert sorted(map(room_of, imports(text))) == [
        "__init__",
        "bpf",
        "model",
        "plugins",
        "symbolize",
    ]


@pytest.mark.parametrize(
    ("room", "other", "is_allowed"),
    [
        ("commands", "model", True),
        ("model", "commands", False),
        ("output", "bpf", False),
        ("bpf", "output", False),
        ("screen", "output", False),
        ("collector", "symbolize", True),
        ("collector", "bpf", False),
        ("bpf", "procfs", False),
        ("procfs", "elf", True),
    ],
)
def test_what_may_import_what(room: str, other: str, is_allowed: bool) -> None:
    assert may_import(room, other) == is_allowed


def test_what_has_no_floor_is_refused() -> None:
    with pytest.raises(AssertionError, match="attic is on 0 floors"):
        may_import("attic", "model")


def test_walls_stand_between_rooms_of_which_one_is_below() -> None:
    for room, others in WALLS.items():
        assert all(floor_of(room) < floor_of(other) for other in others)
