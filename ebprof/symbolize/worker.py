"""The process in which files and names that others wrote are parsed by libraries.

symbolic maps files (that their owner may truncate), DWARF and mangled names can be made to take
any time and memory, and a deep enough name overflows the demangler's stack: 230 characters
demangle to 134 MB. A crash, a hang or a full memory is the worker's, and costs one answer.

Messages go over a stream socket: a header (operation or status, length), a body, descriptors.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any

OP_SYMCACHE, OP_DEMANGLE = 1, 2
OK, FAILED = 0, 1

_HEADER = struct.Struct("<BI")
_MAX_BODY = 64 << 20
_MAX_DESCRIPTORS = 2
_SYMCACHE_MEMORY = 4 << 30
_DEMANGLE_MEMORY = 256 << 20
_CPU_LIMIT_S = 600
_MAX_DEMANGLED = 16 << 10
_MAX_REASON = 300


class WorkerError(Exception):
    """The worker refused a request, or died or hung over it."""


class Worker:
    """The parent's end: starts the process when first needed, and again after it was lost."""

    def __init__(self) -> None:
        self._process: Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def request(
        self, operation: int, body: bytes, descriptors: Sequence[int] = (), timeout_s: float = 60
    ) -> bytes:
        """Send a request and wait for the answer; raises WorkerError."""
        connection = self._connection()
        connection.settimeout(timeout_s)
        try:
            _send(connection, operation, body, descriptors)
            status, answer, _ = _receive(connection)
        except TimeoutError:
            self.close()
            raise WorkerError(f"took longer than {timeout_s:g} s") from None
        except (OSError, EOFError):
            self.close()
            raise WorkerError("crashed or ran out of memory") from None
        if status != OK:
            raise WorkerError(answer.decode("utf-8", "replace"))
        return answer

    def close(self) -> None:
        """End the process, whatever it is doing."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _connection(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._start()
        return self._socket

    def _start(self) -> socket.socket:
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise WorkerError(f"cannot start: {error}") from None
        number = theirs.fileno()
        # By its path and without `site`: importing our package and NumPy would take 0.2 s.
        command = [sys.executable, "-IS", __file__, str(number), *_import_path()]
        try:
            # Its own session: an interrupt at the terminal ends the recording, not the symbols.
            self._process = Popen(
                command,
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=DEVNULL,
                pass_fds=[number],
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise WorkerError(f"cannot start: {error}") from None
        finally:
            theirs.close()
        return ours


def _import_path() -> list[str]:
    return [entry or str(Path.cwd()) for entry in sys.path]


def serve(number: int) -> None:
    """Answer requests on a socket until it is closed."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_LIMIT_S, _CPU_LIMIT_S))
    connection = socket.socket(fileno=number)
    with suppress(OSError, EOFError):
        while True:
            operation, body, descriptors = _receive(connection)
            try:
                status, answer = OK, _OPERATIONS[operation](body, descriptors)
            except Exception as error:
                status, answer = FAILED, _in_one_line(error).encode()
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            _send(connection, status, answer)


def _in_one_line(error: Exception) -> str:
    parts = (line.strip().removeprefix("caused by: ") for line in str(error).splitlines())
    text = ": ".join(part for part in parts if part) or type(error).__name__
    return text[:_MAX_REASON]


def _make_symcache(body: bytes, descriptors: Sequence[int]) -> bytes:
    """Descriptors: ELF file with DWARF, file to write the SymCache to."""
    from symbolic.debuginfo import Archive

    source, target = descriptors
    _allow_memory(_SYMCACHE_MEMORY + os.fstat(source).st_size)
    found: Any = next(Archive.open(f"/proc/self/fd/{source}").iter_objects())
    with os.fdopen(os.dup(target), "wb") as file:
        found.make_symcache().dump_into(file)
    return b""


def _demangle(body: bytes, descriptors: Sequence[int]) -> bytes:
    """Names end in NUL, and so do the answers; an empty one means: as it was."""
    from pydemumble import demangle

    _allow_memory(_DEMANGLE_MEMORY)
    answers = []
    for name in body.decode().split("\0")[:-1]:
        readable = _demangle_d(name) if name.startswith("_D") else demangle(name)
        answer = readable.encode()
        answers.append(answer if len(answer) <= _MAX_DEMANGLED else b"")
    return b"".join(answer + b"\0" for answer in answers)


def _demangle_d(name: str) -> str:
    """Parts and clones are marked as LLVM marks them: `app.f(int) (.cold)`."""
    try:  # imported for the first name in D, as it takes 0.2 s
        from demangle import demangle
    except ImportError:  # it needs Python 3.11
        return ""
    whole, dot, part = name.partition(".")
    readable = demangle(whole, language="d")
    if readable == whole:
        return ""
    return f"{readable} ({dot}{part})" if part else readable


def _allow_memory(size: int) -> None:
    """Let the process grow by so many bytes of address space from now on."""
    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    limit = pages * resource.getpagesize() + size
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


_OPERATIONS: dict[int, Callable[[bytes, Sequence[int]], bytes]] = {
    OP_SYMCACHE: _make_symcache,
    OP_DEMANGLE: _demangle,
}


def _send(
    connection: socket.socket, kind: int, body: bytes, descriptors: Sequence[int] = ()
) -> None:
    header = _HEADER.pack(kind, len(body))
    socket.send_fds(connection, [header], descriptors)
    connection.sendall(body)


def _receive(connection: socket.socket) -> tuple[int, bytes, list[int]]:
    header, descriptors, _, _ = socket.recv_fds(connection, _HEADER.size, _MAX_DESCRIPTORS)
    header += _receive_exactly(connection, _HEADER.size - len(header)) if header else b""
    if not header:
        raise EOFError
    kind, size = _HEADER.unpack(header)
    if size > _MAX_BODY:
        raise EOFError
    return kind, _receive_exactly(connection, size), descriptors


def _receive_exactly(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    sys.path[:] = sys.argv[2:]
    serve(int(sys.argv[1]))
