"""Starts the command to profile and holds it at its exec until sampling is set up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from ebprof._native import lib
from ebprof.errors import EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, CommandError
from ebprof.signals import ENDING

SIGNAL_EXIT = 128
END_SECONDS = 2.0
"""How long a command that is asked to end is waited for."""


class HeldCommand:
    """A child that has executed the command and not run an instruction of it yet.

    cpu_seconds: what it and its children took, once it has ended.
    is_mute: it reads nothing, and what it writes is not seen.
    Raises CommandError with a shell's exit code (127, 126) when it cannot be executed.
    """

    def __init__(self, command: Sequence[str], *, is_mute: bool = False) -> None:
        self._exit_code: int | None = None
        self._is_held = True
        self.cpu_seconds = 0.0
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # or else it might run on without us
        try:
            self.pid = self._start(command, is_mute)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    @staticmethod
    def _start(command: Sequence[str], is_mute: bool) -> int:
        """Its PID, once it is held: if ebprof ends before it is let go, it is killed."""
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            _execute(command, write_end, is_mute)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as errors:
            failure = errors.read()
        os.waitpid(pid, 0)  # stopped at exec, or ended
        if failure:
            raise _refusal(command[0], int(failure))
        lib.trace_hold(pid)
        return pid

    def release(self) -> None:
        """Let it run."""
        lib.trace_release(self.pid)
        self._is_held = False

    def poll(self) -> bool:
        """Whether it has ended."""
        if self._exit_code is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._exit_code = _shell_code(status)
                self.cpu_seconds = usage.ru_utime + usage.ru_stime
        return self._exit_code is not None

    @property
    def exit_code(self) -> int:
        """Its exit code, as a shell gives it; 0 while it still runs."""
        self.poll()
        return self._exit_code or 0

    def end(self) -> None:
        """The run is over: ask it to end (SIGTERM), or kill it if it was never let go."""
        if self.poll():
            return
        os.kill(self.pid, signal.SIGKILL if self._is_held else signal.SIGTERM)
        deadline = time.monotonic() + END_SECONDS
        while not self.poll() and time.monotonic() < deadline:
            time.sleep(0.01)


def _execute(command: Sequence[str], errors: int, is_mute: bool) -> None:
    """The child's side: never returns."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        if is_mute:
            _mute()
        lib.trace_me()
        os.execvp(command[0], list(command))
    except OSError as error:
        os.write(errors, str(error.errno).encode())
    finally:
        os._exit(EXIT_NOT_FOUND)


def _mute() -> None:
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1, 2):
        os.dup2(null, fd)


def _refusal(name: str, code: int) -> CommandError:
    reason = os.strerror(code)
    if code == 2:
        return CommandError(f"cannot run {name}: no such command", "check its name and $PATH")
    return CommandError(
        f"cannot run {name}: {reason}",
        "check that it is a program and may be executed",
        exit_code=EXIT_NOT_EXECUTABLE,
    )


def _shell_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else SIGNAL_EXIT - code
