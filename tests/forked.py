"""Starts ebprof as `python -m ebprof` does, in half the CPU time: the other half are imports.

Beside each process that runs tests there is one that has imported what commands import, and has
done nothing else. What it forks becomes the command, with the descriptors, environment and
directory of the process that runs the test, whose child it is.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import platform
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from io import BufferedReader, BufferedWriter, FileIO, TextIOWrapper
from pathlib import Path
from typing import Any

import ebprof

CLONE_PARENT = 0x8000
SYS_CLONE = {"x86_64": 56, "aarch64": 220}
LONGEST = 1 << 17
MOST_DESCRIPTORS = 8
NOT_IMPORTED = (
    "ebprof.__main__",
    "ebprof.collector.store.embedded",
    "ebprof.collector.store.process",
)
"""What runs when it is imported, and what starts threads then."""


class Forked(subprocess.Popen[Any]):
    """`python -m MODULE WORDS...`; stdout and the others are what subprocess.Popen takes.

    within: words before its command line; then it is executed. So it is outside of tests: what
    benchmarks measure is what people run.
    """

    def __init__(
        self,
        module: str,
        *words: object,
        stdout: Any = None,
        stderr: Any = None,
        text: bool = False,
        within: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._is_executed = bool(within) or "PYTEST_CURRENT_TEST" not in os.environ
        self._passed = [*pass_fds]
        command = [*within, sys.executable, "-m", module, *map(str, words)]
        super().__init__(command, stdout=stdout, stderr=stderr, text=text, pass_fds=pass_fds)

    def _execute_child(self, args: list[str], *others: Any) -> None:
        """Have it forked, where Popen forks and executes; the pipes are made."""
        if self._is_executed:
            super()._execute_child(args, *others)  # type: ignore[misc]
            return
        _, _, _, _, _, _, _, _, _, *pipes = others[:15]
        _, _, _, stdout, _, stderr = pipes
        given = {0: 0, 1: 1 if stdout < 0 else stdout, 2: 2 if stderr < 0 else stderr}
        given |= {one: one for one in self._passed}
        self.pid = _fork_elsewhere(args[2:], given)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def _fork_elsewhere(words: list[str], descriptors: dict[int, int]) -> int:
    """The PID of our new child. descriptors: of ours, by what they are in it."""
    connection = _prepared()
    request = json.dumps([words, [*descriptors], str(Path.cwd()), dict(os.environ)]).encode()
    socket.send_fds(connection, [request], [*descriptors.values()])
    return int(connection.recv(LONGEST))


@cache
def _prepared() -> socket.socket:
    """Our end of the process that has imported all; it ends when we do."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.forked", str(theirs.fileno())]
        one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        subprocess.Popen(command, pass_fds=[theirs.fileno()], env=one_thread)
    return ours


def _import_all() -> None:
    for found in pkgutil.walk_packages(ebprof.__path__, "ebprof."):
        if found.name not in NOT_IMPORTED:
            with suppress(ImportError):  # of the collector's own dependencies
                importlib.import_module(found.name)


def _forked(connection: socket.socket) -> list[str]:
    """Fork whenever it is asked for; returns in what was forked, with the words after `-m`."""
    while True:
        request, descriptors, *_ = socket.recv_fds(connection, LONGEST, MOST_DESCRIPTORS)
        if not request:
            sys.exit()
        pid = _fork()
        if not pid:
            connection.close()
            words, numbers, directory, environment = json.loads(request)
            _settle(dict(zip(numbers, descriptors, strict=True)), directory, environment)
            return list(words)
        connection.send(str(pid).encode())
        for one in descriptors:
            os.close(one)


def _fork() -> int:
    """Do what os.fork does, but the child is our parent's."""
    python, libc = ctypes.pythonapi, ctypes.PyDLL(None)
    python.PyOS_BeforeFork()
    pid = libc.syscall(SYS_CLONE[platform.machine()], CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if pid:
        python.PyOS_AfterFork_Parent()
    else:
        python.PyOS_AfterFork_Child()
    return int(pid)


def _settle(descriptors: dict[int, int], directory: str, environment: dict[str, str]) -> None:
    """Take what a new process is given, and open the streams that Python begins with."""
    out_of_the_way = 1 + max(descriptors)
    moved = {
        number: fcntl.fcntl(one, fcntl.F_DUPFD, out_of_the_way)
        for number, one in descriptors.items()
    }
    for one in descriptors.values():
        os.close(one)
    for number, one in moved.items():
        os.dup2(one, number)
        os.close(one)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin = _stream(0, "r")
    sys.stdout = _stream(1, "w")
    sys.stderr = _stream(2, "w")
    sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")


def _stream(number: int, mode: str) -> TextIOWrapper:
    file = FileIO(number, mode, closefd=False)
    return TextIOWrapper(BufferedReader(file) if mode == "r" else BufferedWriter(file))


if __name__ == "__main__":
    _import_all()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # what is never looked at is never copied
    module, *sys.argv[1:] = _forked(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module(module, run_name="__main__", alter_sys=True)
