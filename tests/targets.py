"""Compiles the programs in tests/programs and runs them for tests and benchmarks.

`python -m tests.targets NAME...` only compiles some, before they run where that is slow.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROGRAMS = Path(__file__).with_name("programs")
BUILT = Path(__file__).parents[1] / "build" / "targets"

START_SECONDS = 10
RUN_S = 0.03
NO_FRAME_POINTERS = ("-fomit-frame-pointer",)
FRAME_POINTERS = ("-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer")
NO_EH_FRAME = ("-fno-asynchronous-unwind-tables", "-fno-unwind-tables")
DEBUG_FRAME_ONLY = (*NO_FRAME_POINTERS, *NO_EH_FRAME, "-include", str(PROGRAMS / "large.h"))

# What a variant adds to the compiler's command line; `default` is how software is usually built.
VARIANTS: dict[str, tuple[str, ...]] = {
    "default": NO_FRAME_POINTERS,
    "fp": FRAME_POINTERS,
    "fp_only": (*FRAME_POINTERS, *NO_EH_FRAME),
    "debug_frame": DEBUG_FRAME_ONLY,
    "debug_frame_zstd": (*DEBUG_FRAME_ONLY, "-Wl,--compress-debug-sections=zstd"),
    "stripped": (*NO_FRAME_POINTERS, "-s"),
    "second": (*NO_FRAME_POINTERS, "-DSECOND"),
    "static": (*NO_FRAME_POINTERS, "-static"),
    "static_pie": (*NO_FRAME_POINTERS, "-static-pie"),
    "no_pie": (*NO_FRAME_POINTERS, "-no-pie", "-fno-pie"),
    "unoptimized": ("-O0",),
    "lazy": (*NO_FRAME_POINTERS, "-Wl,-z,lazy"),
    "eager": (*NO_FRAME_POINTERS, "-Wl,-z,now"),
    "eager_no_plt": (*NO_FRAME_POINTERS, "-Wl,-z,now", "-fno-plt"),
    "cpp20": (*NO_FRAME_POINTERS, "-std=c++20"),
    "far_text": (*NO_FRAME_POINTERS, "-Wl,--section-start=.far_text=0x10000000"),
    "lazy_cet": (*NO_FRAME_POINTERS, "-Wl,-z,lazy", "-fcf-protection"),
    "musl": NO_FRAME_POINTERS,
    "musl_static": (*NO_FRAME_POINTERS, "-static"),
}
MUSL = "musl-gcc"
MUSL_VARIANTS = ("musl", "musl_static")
GO_VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "stripped": ("-ldflags=-s -w",),
    "stripped_pie": ("-buildmode=pie", "-ldflags=-s -w -linkmode=external"),
    "stripped_internal": ("-ldflags=-s -w -linkmode=internal",),
}
RUST_VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "stripped": ("-Cstrip=symbols",),
}

# Shared objects that a program is linked with.
LIBRARIES = {"plt": ("pltlib",), "lazy": ("lazylib",)}
SHARED_OBJECTS = ("plugin", "pltlib", "lazylib", "stepped")

# The demo's measured split: the share of the workers' samples with this function on the stack.
SHARES = {
    "kv::compress": 0.48,
}


class MissingCompilerError(Exception):
    """A program cannot be built here; tests skip with this text."""


@dataclass(frozen=True, slots=True)
class Running:
    """A started program.

    path: of its executable; pid: its process, alive until the context manager ends.
    """

    path: Path
    pid: int


@cache
def build(name: str, variant: str = "default") -> Path:
    """Compile tests/programs/`name`.* and return the executable (or shared object).

    The path's last part is always `name` (`name.so`), so that names in stacks do not vary. Built
    once, by whichever process is first; sources and flags are part of the directory's name. Raises
    MissingCompilerError.
    """
    source = _source(name)
    libraries = [build(library) for library in LIBRARIES.get(name, ())]
    command = _command(source, variant)
    directory = BUILT / _fingerprint(source, command)
    output = directory / (f"{name}.so" if name in SHARED_OBJECTS else name)
    with locked(directory):
        if not output.exists():
            unfinished = output.with_name(f"{output.name}.unfinished")
            _run([*command, "-o", str(unfinished), str(source), *_link(libraries)])
            unfinished.rename(output)
    return output


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make a directory, and keep other processes that ask for it waiting."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def running(name: str, *args: object, variant: str = "default") -> Iterator[Running]:
    """Build and start a program, and wait until it works.

    args: what follows its SECONDS, which are unlimited. At the end the process is killed, and what
    it left in /tmp is removed.
    """
    with started([build(name, variant), 0, *args]) as process:
        yield process


@contextmanager
def started(command: list[object]) -> Iterator[Running]:
    """Start a command that prints "ready", wait for that, and kill its process at the end."""
    words = [str(word) for word in command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            _wait_until_ready(process, words)
            yield Running(Path(words[0]), process.pid)
        finally:
            process.kill()
            process.wait()
            Path(f"/tmp/perf-{process.pid}.map").unlink(missing_ok=True)


@contextmanager
def resting(pid: int, share: float = 1 / 3) -> Iterator[None]:
    """Let a process run a share of the time: who looks for long sees enough of it, and others have
    its CPU.
    """
    rest_s = RUN_S / share - RUN_S
    ended = threading.Event()

    def rest() -> None:
        with suppress(ProcessLookupError):
            while not ended.wait(RUN_S):
                os.kill(pid, signal.SIGSTOP)
                ended.wait(rest_s)
                os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=rest)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _wait_until_ready(process: subprocess.Popen[str], words: list[str]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{' '.join(words)} did not start (exit code {process.wait()})")
    if line != "ready\n":
        raise RuntimeError(f"{' '.join(words)} said {line!r}, not that it is ready")


def _source(name: str) -> Path:
    (source,) = (path for path in PROGRAMS.glob(f"{name}.*") if path.suffix != ".h")
    return source


def _command(source: Path, variant: str) -> list[str]:
    if source.suffix == ".rs":
        return [_compiler("rustc"), "-O", "-g", *RUST_VARIANTS[variant]]
    if source.suffix == ".go":
        return [_compiler("go"), "build", *GO_VARIANTS[variant]]
    if source.suffix == ".cpp":
        start = [_compiler("g++"), "-std=c++17"]
    else:
        start = [_compiler(MUSL if variant in MUSL_VARIANTS else "gcc"), "-std=gnu11"]
    shared = ["-shared", "-fPIC"] if source.stem in SHARED_OBJECTS else []
    flags = ["-O2", "-g", "-Wall", "-Wextra", "-pthread", *shared, *VARIANTS[variant]]
    return [*start, *flags]


def _link(libraries: list[Path]) -> list[str]:
    found = [str(library) for library in libraries]
    return [*found, *(f"-Wl,-rpath,{library.parent}" for library in libraries)]


def _compiler(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        with suppress(StopIteration):
            return str(next(Path.home().glob(f".cargo/bin/{name}")))
        raise MissingCompilerError(f"no {name} here")
    return path


def _fingerprint(source: Path, command: list[str]) -> str:
    digest = hashlib.sha256(" ".join([*command, str(source)]).encode())
    for path in [source, *sorted(PROGRAMS.glob("*.h"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr}")


if __name__ == "__main__":
    for program in sys.argv[1:]:
        build(program)
