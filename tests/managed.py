"""Starts the programs of tests/programs in languages that compile while they run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tests import targets
from tests.targets import MissingCompilerError, Running

JAVA = ("-XX:+PreserveFramePointer", "-XX:CompileCommand=quiet", "-Xbatch")
JAVA_AS_WRITTEN = ("-XX:TieredStopAtLevel=1", "-XX:CompileCommand=dontinline,Work::*")
V8 = ("--perf-basic-prof", "--no-turbo-inlining")
PERF_MAPS_SINCE = (3, 12)


@contextmanager
def openjdk() -> Iterator[Running]:
    """Work.java, all compiled, with a perf map. Raises MissingCompilerError."""
    javac, java, jcmd = (find(name) for name in ("javac", "java", "jcmd"))
    with tempfile.TemporaryDirectory() as classes:
        source = targets.PROGRAMS / "Work.java"
        subprocess.run([javac, "-d", classes, source], check=True, capture_output=True)
        with targets.started([java, *JAVA, *JAVA_AS_WRITTEN, "-cp", classes, "Work"]) as target:
            write_map = [jcmd, str(target.pid), "Compiler.perfmap"]
            if subprocess.run(write_map, capture_output=True).returncode:
                raise MissingCompilerError("this JDK writes no perf maps: it is older than 17")
            yield target


@contextmanager
def v8() -> Iterator[Running]:
    """work.js, all compiled, with a perf map. Raises MissingCompilerError."""
    source = targets.PROGRAMS / "work.js"
    with tempfile.TemporaryDirectory() as logs:  # of V8's own, which --perf-basic-prof turns on
        log = ("--no-logfile-per-isolate", f"--logfile={logs}/v8.log")
        with targets.started([find("node"), *V8, *log, source]) as target:
            yield target


@contextmanager
def python() -> Iterator[Running]:
    """work.py under this interpreter, with a perf map. Raises MissingCompilerError."""
    if sys.version_info < PERF_MAPS_SINCE:
        raise MissingCompilerError("no Python 3.12 here: older ones write no perf map")
    with targets.started([sys.executable, "-X", "perf", targets.PROGRAMS / "work.py"]) as target:
        yield target


def plain_js(function: str) -> str:
    """`JS:*burn /place.js:9:14` as `burn`: V8 adds how it was compiled, and a place."""
    return re.sub(r"^JS:\W*(\w+) .*", r"\1", function)


def find(name: str) -> str:
    """The path of a program. Raises MissingCompilerError where it is not there."""
    path = shutil.which(name)
    if path is None:
        raise MissingCompilerError(f"no {name} here")
    return path
