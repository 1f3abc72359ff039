"""Languages that compile while they run, and name their code in a perf map."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests import targets
from tests.live.profiled import SOME, Profiled, Stack, assert_share, profile

COMPLETE = 0.98
DEPTH = 20
JAVA = ("-XX:+PreserveFramePointer", "-XX:CompileCommand=quiet", "-Xbatch")
JAVA_AS_WRITTEN = ("-XX:TieredStopAtLevel=1", "-XX:CompileCommand=dontinline,Work::*")
PERF_MAPS_SINCE = (3, 12)


def assert_halves(done: Profiled, loops: tuple[str, ...], recursion: tuple[str, ...]) -> None:
    """Half of the work is in either chain, and all stacks with work in them are whole."""
    assert done.stats["samples"]["lost"] == 0
    assert done.complete_share >= COMPLETE, done.stops
    flat, deep = done.count_calls(*loops), done.count_calls(*recursion)
    assert flat + deep >= 0.9 * done.count_of(loops[0]) >= SOME
    assert_share(flat, flat + deep, 0.5, slack=0.05)


@pytest.mark.skipif(not shutil.which("javac"), reason="no JDK here")
@pytest.mark.skipif(not shutil.which("jcmd"), reason="no jcmd here")
def test_openjdk(tmp_path: Path) -> None:
    source = targets.PROGRAMS / "Work.java"
    subprocess.run(["javac", "-d", tmp_path, source], check=True, capture_output=True)
    with targets.started(["java", *JAVA, *JAVA_AS_WRITTEN, "-cp", tmp_path, "Work"]) as target:
        write_map = ["jcmd", str(target.pid), "Compiler.perfmap"]
        if subprocess.run(write_map, capture_output=True).returncode:
            pytest.skip("this JDK writes no perf maps: it is older than 17")
        done = profile("-p", target.pid)
    work, burn = "void Work.work()", "long Work.burn(int)"
    recursion = ["long Work.recurse(int)"] * DEPTH
    assert_halves(done, (work, "long Work.loops()", burn), (work, *recursion, burn))
    assert done.count_of("JavaMain") >= 0.9 * done.total


def plain_names(stacks: Counter[Stack]) -> Counter[Stack]:
    """Stacks with `JS:*burn /place.js:9:14` as `burn`: V8 adds how it was compiled, and a place."""
    plain: Counter[Stack] = Counter()
    for stack, count in stacks.items():
        plain[tuple(re.sub(r"^JS:\W*(\w+) .*", r"\1", frame) for frame in stack)] += count
    return plain


@pytest.mark.skipif(not shutil.which("node"), reason="no node here")
def test_v8(tmp_path: Path) -> None:
    source = targets.PROGRAMS / "work.js"
    log = ["--no-logfile-per-isolate", f"--logfile={tmp_path}/v8.log"]
    options = ["--perf-basic-prof", "--no-turbo-inlining", *log]
    with targets.started([str(shutil.which("node")), *options, source]) as target:
        done = profile("-p", target.pid)
    plain = Profiled(plain_names(done.stacks), done.stats, done.stderr)
    assert_halves(plain, ("work", "loops", "burn"), ("work", *["recurse"] * DEPTH, "burn"))
    assert done.count_of("node::Start(int, char**)") >= 0.9 * done.total


@pytest.mark.skipif(
    sys.version_info < PERF_MAPS_SINCE, reason="no Python 3.12 here: older ones write no perf map"
)
def test_python() -> None:
    source = targets.PROGRAMS / "work.py"
    with targets.started([sys.executable, "-X", "perf", source]) as target:
        done = profile("-p", target.pid)
    names = {frame for stack in done.stacks for frame in stack if frame.startswith("py::")}
    assert any(name.startswith("py::recurse:") for name in names)
    assert done.complete_share >= COMPLETE, done.stops
