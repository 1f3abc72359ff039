"""Languages that compile while they run, and name their code in a perf map."""

from __future__ import annotations

import sys
from collections import Counter

from tests import managed, targets
from tests.live.profiled import SOME, Profiled, Stack, assert_share, profile

COMPLETE = 0.98
DEPTH = 20


def assert_halves(done: Profiled, loops: tuple[str, ...], recursion: tuple[str, ...]) -> None:
    """Half of the work is in either chain, and all stacks with work in them are whole."""
    assert done.stats["samples"]["lost"] == 0
    assert done.complete_share >= COMPLETE, done.stops
    flat, deep = done.count_calls(*loops), done.count_calls(*recursion)
    assert flat + deep >= 0.9 * done.count_of(loops[0]) >= SOME
    assert_share(flat, flat + deep, 0.5, slack=0.05)


def test_openjdk() -> None:
    with managed.openjdk() as target:
        done = profile("-p", target.pid)
    work, burn = "void Work.work()", "long Work.burn(int)"
    recursion = ["long Work.recurse(int)"] * DEPTH
    assert_halves(done, (work, "long Work.loops()", burn), (work, *recursion, burn))
    assert done.count_of("JavaMain") >= 0.9 * done.total


def plain_names(stacks: Counter[Stack]) -> Counter[Stack]:
    """Stacks with V8's functions as their source calls them."""
    plain: Counter[Stack] = Counter()
    for stack, count in stacks.items():
        plain[tuple(map(managed.plain_js, stack))] += count
    return plain


def test_v8() -> None:
    with managed.v8() as target:
        done = profile("-p", target.pid)
    plain = Profiled(plain_names(done.stacks), done.stats, done.stderr)
    assert_halves(plain, ("work", "loops", "burn"), ("work", *["recurse"] * DEPTH, "burn"))
    assert done.count_of("node::Start(int, char**)") >= 0.9 * done.total


def test_python() -> None:
    with managed.python() as target:
        done = profile("-p", target.pid)
    names = {frame for stack in done.stacks for frame in stack if frame.startswith("py::")}
    assert any(name.startswith("py::recurse:") for name in names)
    assert done.complete_share >= COMPLETE, done.stops


def test_what_has_no_names_is_said() -> None:
    """By this Python, which was started without perf support."""
    with targets.started([sys.executable, targets.PROGRAMS / "work.py"]) as target:
        done = profile("-p", target.pid)
    (one,) = done.stats["nameless"]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert (one["what"], one["pids"]) == (f"Python {version}", [target.pid])
    assert one["samples"] >= 0.9 * done.total
    assert f"ebprof: PID {target.pid} is Python {version}: its functions have no" in done.stderr
    assert one["text"] in done.stderr


def test_what_has_names_is_not_said() -> None:
    with managed.v8() as target:
        done = profile("-p", target.pid)
    assert done.stats["nameless"] == []
    assert "no names" not in done.stderr


def test_node_without_a_perf_map_is_told_how_to_get_one() -> None:
    program = [managed.find("node"), "--no-turbo-inlining", targets.PROGRAMS / "work.js"]
    with targets.started(program) as target:
        done = profile("-p", target.pid)
    (one,) = done.stats["nameless"]
    assert (one["what"], one["pids"]) == ("Node.js", [target.pid])
    assert "--perf-basic-prof" in done.stderr
