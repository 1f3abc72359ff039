"""What commands import: help needs nothing that runs, a saved profile nothing that records."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebprof import commands, plugins

RUNS = (
    "ebprof.agent",
    "ebprof.collector",
    "ebprof.features",
    "ebprof.recording",
    "ebprof.sampling.run",
    "ebprof.screen",
    "ebprof.symbolize",
    "ebprof.top.monitor",
    "ebprof.traffic.monitor",
    "ebprof.unwind",
    "google.protobuf",
    "rich",
)
"""What runs, draws or answers: the larger part of what could be imported."""
NOT_READ = ("ebprof.bpf", "ebprof.sampling", "google.protobuf", "importlib.metadata", "numpy.ma")
"""What reading a pprof does without."""
PROGRAM = """
import atexit, sys
from ebprof import cli
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
cli.main(sys.argv[1:])
"""
STATE = """
import atexit, os, sys
from ebprof import cli
threads, given = "/proc/self/task", "OPENBLAS_NUM_THREADS"
atexit.register(lambda: print(len(os.listdir(threads)), os.getenv(given), file=sys.stderr))
cli.main(sys.argv[1:])
"""


def imported(*words: object) -> set[str]:
    """Modules that `ebprof WORDS...` imports."""
    command = [sys.executable, "-c", PROGRAM, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def of(modules: set[str], names: tuple[str, ...]) -> list[str]:
    """Those that are, or are in, one of these packages."""
    return sorted(one for one in modules if f"{one}.".startswith(tuple(f"{n}." for n in names)))


def test_help_of_all_commands() -> None:
    modules = imported("--help")
    assert {f"ebprof.commands.{name}" for name in plugins.module_names(commands)} <= modules
    assert of(modules, RUNS) == []


@pytest.mark.parametrize("name", ["agent", "collector", "doctor", "serve"])
def test_help_of_services_and_doctor_needs_no_arrays(name: str) -> None:
    assert of(imported(name, "--help"), ("numpy",)) == []


def test_a_saved_profile(tmp_path: Path) -> None:
    folded, saved = tmp_path / "x.folded", tmp_path / "x.pb.gz"
    folded.write_text("app;main;f 3\n")
    imported("report", folded, "-o", saved)
    assert gzip.decompress(saved.read_bytes())
    assert of(imported("report", saved, "-f", "folded"), NOT_READ) == []


@pytest.mark.parametrize("given", [None, "2"])
def test_numpy_starts_no_threads_and_what_we_start_does_not_see_how(
    given: str | None, tmp_path: Path
) -> None:
    folded = tmp_path / "x.folded"
    folded.write_text("app;main;f 3\n")
    environment = {one: text for one, text in os.environ.items() if "_NUM_THREADS" not in one}
    if given:
        environment["OPENBLAS_NUM_THREADS"] = given
    words = ("report", str(folded), "-o", str(tmp_path / "out.folded"))
    command = [sys.executable, "-c", STATE, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == f"1 {given}\n"
