"""stdin, stdout and stderr where they are closed from the start, or their reader goes away."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from ebprof.errors import BadFileError, EbprofError

_STDOUT, _STDERR = 1, 2


def prepare() -> None:
    """Make the streams safe to use, whatever they are.

    Where one is closed its number is taken: the next file that is opened would get it, and its
    output. What cannot be written to stdout raises BadFileError; BrokenPipeError when its reader
    has gone. Messages that nobody can read end no run: a terminal may be gone, a disk full.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            flags = os.O_WRONLY if name == "stderr" else os.O_RDONLY
            null = os.open(os.devnull, flags)
            setattr(sys, name, os.fdopen(null, mode, closefd=False))
    sys.stdout = _reopened(sys.stdout, _Result, _STDOUT)
    sys.stderr = _reopened(sys.stderr, _Messages, _STDERR)


def discard_stdout() -> None:
    """Send what is still to come, and what is buffered, nowhere: the reader has seen enough."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def finish() -> None:
    """Drop what is buffered for stdout and cannot be written: that was said already."""
    with suppress(OSError, EbprofError):
        sys.stdout.flush()
    if _is(sys.stdout, _STDOUT):
        discard_stdout()


class _Result(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = "it is closed" if error.errno == errno.EBADF else os.strerror(error.errno or 0)
            raise BadFileError(f"cannot write stdout: {reason.lower()}") from None


class _Messages(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _reopened(stream: TextIO, kind: type[io.FileIO], number: int) -> TextIO:
    """A stream that writes by a kind of file; the same stream where it is not that of a number."""
    if not _is(stream, number):
        return stream
    raw = io.BufferedWriter(kind(number, "w", closefd=False))
    is_line_buffered = number == _STDERR or stream.isatty()
    return io.TextIOWrapper(raw, stream.encoding, stream.errors, line_buffering=is_line_buffered)


def _is(stream: TextIO, number: int) -> bool:
    """Whether a stream writes to a descriptor: not one that a caller in this process reads."""
    try:
        return stream.fileno() == number
    except OSError:
        return False
