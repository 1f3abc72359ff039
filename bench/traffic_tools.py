"""What watches the traffic while a benchmark runs: nothing, parts of ebprof, all of it, a peer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path

from bench.run import BUILT
from ebprof.bpf import compile as bpf_compiler
from ebprof.bpf.object import BpfObject
from ebprof.bpf.statistics import TIMED_S, TimedShare
from ebprof.traffic.backends import open_session

HERE = Path(__file__).parent
START_SECONDS = 300  # in an emulated machine, where tcptop compiles first
STOP_SECONDS = 60
INTERVAL_SECONDS = 1
BACKENDS = ("fentry", "kprobe", "tp_btf")
CALLS = ("send", "receive")

Tool = Callable[[], AbstractContextManager[object]]
"""Watches as long as its context lasts, from the moment it is entered."""


def backend_name(wanted: str | None) -> str:
    """The backend of this name, or what ebprof chooses here."""
    backend, session = open_session(wanted)
    session.close()
    return backend.name


def nothing() -> AbstractContextManager[object]:
    """Nobody watches."""
    return nullcontext()


@contextmanager
def empty_programs(backend: str) -> Iterator[BpfObject]:
    """Programs that return at once, where those of a backend see sends and receives."""
    with BpfObject(str(_built_empty())) as made:
        for other in BACKENDS:
            if other != backend:
                _each(made.skip_program, other)
        made.load()
        _each(made.attach, backend)
        yield made


def timing_share(seconds: float) -> float:
    """Of one core, what the kernel's timing of programs at sends and receives says of programs that
    do nothing: it is in what it says of all others there.
    """
    backend = backend_name(None)
    if backend not in BACKENDS:
        return 0.0
    with empty_programs(backend) as empty:

        def read() -> tuple[int, float]:
            found = [empty.run_statistics(f"{backend}_{call}") for call in CALLS]
            return sum(runs for runs, _ in found), sum(taken for _, taken in found)

        timed = TimedShare(read, is_always=True)
        timed.tick()
        start = time.monotonic()
        time.sleep(seconds)
        _, taken = timed.total()
        timed.close()
        return taken / (time.monotonic() - start)


@contextmanager
def programs(backend: str, *, timed: bool = False) -> Iterator[None]:
    """ebprof's programs without ebprof: what they count stays in the kernel.

    timed: while the kernel times them, which it does one second of sixteen.
    """
    _, session = open_session(backend)
    with session:
        session.start()
        if not timed:
            time.sleep(TIMED_S)
            session.drain()
        yield


@contextmanager
def ebprof(backend: str) -> Iterator[subprocess.Popen[bytes]]:
    """`ebprof traffic`, as JSON once a second, when the first second is over: it is timed."""
    command = [sys.executable, "-m", "ebprof", "traffic", "--json", "--backend", backend]
    with started([*command, str(INTERVAL_SECONDS)], b"traffic by") as process:
        time.sleep(TIMED_S + INTERVAL_SECONDS)
        yield process


def tcptop() -> AbstractContextManager[subprocess.Popen[bytes]]:
    """bcc's tcptop, once a second. It needs the headers of the kernel that runs."""
    return started(["tcptop-bpfcc", "-C", "1"], b"Tracing")


@contextmanager
def started(words: Sequence[str], ready: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """A command from when it has written `ready`, whatever to; interrupted at the end.

    Raises RuntimeError with what it wrote when it does not come to that.
    """
    with tempfile.NamedTemporaryFile() as output:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(words, stdout=output, stderr=output, env=environment) as process:
            try:
                _wait_for(ready, Path(output.name), process)
                yield process
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(STOP_SECONDS)


def _wait_for(ready: bytes, output: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while ready not in output.read_bytes():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{process.args!r} does not start: {output.read_text()}")
        time.sleep(0.02)


def _each(act: Callable[[str], None], backend: str) -> None:
    for call in CALLS:
        act(f"{backend}_{call}")


@cache
def _built_empty() -> Path:
    """As BpfObject takes it: without the suffix; a whole path is not looked for in its package."""
    source, output = HERE / "traffic_empty.bpf.c", BUILT / "traffic_empty.bpf.o"
    if not is_built(source, output):
        bpf_compiler.build(HERE, BUILT)
    return BUILT / "traffic_empty"


def compiled(name: str) -> Path:
    """The program of a C file in this directory."""
    source, output = HERE / f"{name}.c", BUILT / name
    if not is_built(source, output):
        BUILT.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-O2", "-Wall", str(source), "-o", str(output)], check=True)
    return output


def is_built(source: Path, output: Path) -> bool:
    """Whether the output is there and not older: emulated machines take long to compile."""
    return output.exists() and output.stat().st_mtime >= source.stat().st_mtime
