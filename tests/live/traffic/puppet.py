"""Processes that do with sockets, step by step, what a test tells them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.targets import PROGRAMS

STEP_SECONDS = 120
MESSAGE_BYTES = 4096
POLL_SECONDS = 0.01


class Puppet:
    """A process with sockets that have names. Methods raise StepError with the name of the errno.

    pid: of the process, as the system sees it.
    """

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid = pid
        self._control = control

    def use_mptcp(self) -> None:
        """From now on make sockets of MPTCP."""
        self._do("use_mptcp")

    def listen(self, name: str, address: str, port: int = 0) -> int:
        """Listen on an address (IPv6 ones take IPv4 as well); returns the port."""
        return int(self._do("listen", name, address, port))

    def listen_with(self, name: str, address: str, port: int = 0, **options: int) -> int:
        """The same with socket options (reuse_port, v6_only) and a backlog."""
        return int(self._do("listen", name, address, port, options))

    def accept(self, name: str, listener: str) -> None:
        """Wait for a connection."""
        self._do("accept", name, listener)

    def can_accept(self, listener: str) -> bool:
        """Whether a connection waits."""
        return bool(self._do("can_accept", listener))

    def connect(self, name: str, address: str, port: int) -> int:
        """Wait until a connection is made, with at most one more SYN; returns the local port."""
        return int(self._do("connect", name, address, port))

    def connect_from(
        self, name: str, source: tuple[str, int], address: str, port: int, **options: int
    ) -> None:
        """Connect a socket that is bound to an address and port of its own."""
        self._do("connect_from", name, *source, address, port, options)

    def connect_to_itself(self, name: str, address: str) -> int:
        """Make one socket both ends of a connection; returns its port."""
        return int(self._do("connect_to_itself", name, address))

    def connect_again(self, name: str, address: str, port: int) -> None:
        """Connect a socket that failed to, or that was disconnected."""
        self._do("connect_again", name, address, port)

    def disconnect(self, name: str) -> None:
        """Abort the connection of a socket, which can then be connected again."""
        self._do("disconnect", name)

    def begin_connect(self, name: str, address: str, port: int) -> None:
        """Send a SYN and do not wait."""
        self._do("begin_connect", name, address, port)

    def send(self, name: str, size: int) -> int:
        """One call; returns the bytes that the kernel took."""
        return int(self._do("send", name, size))

    def send_first(self, name: str, address: str, port: int, size: int) -> int:
        """Connect by sending, with TCP Fast Open; returns the bytes that the kernel took."""
        return int(self._do("send_first", name, address, port, size))

    def send_many(self, name: str, size: int, calls: int) -> int:
        """Many calls; returns the bytes that the kernel took."""
        return int(self._do("send_many", name, size, calls))

    def send_urgent(self, name: str, size: int) -> int:
        """One call, whose last byte is urgent."""
        return int(self._do("send_urgent", name, size))

    def receive_urgent(self, name: str) -> int:
        """Receive an urgent byte."""
        return int(self._do("receive_urgent", name))

    def fill(self, name: str) -> int:
        """Send until the kernel takes no more; returns the bytes that it took."""
        return int(self._do("fill", name))

    def receive(self, name: str, size: int) -> int:
        """Receive so many bytes, or to the end; returns how many it were."""
        return int(self._do("receive", name, size))

    def receive_call(self, name: str, size: int) -> int:
        """One call."""
        return int(self._do("receive_call", name, size))

    def answer(self, name: str, size: int, answer: int, pause: float) -> float:
        """Receive a question, wait, and answer; seconds from the one until after the other."""
        return float(self._do("answer", name, size, answer, pause))

    def answer_always(self, name: str, size: int, answer: int, pause: float) -> None:
        """From now on do that."""
        self._do("answer_always", name, size, answer, pause)

    def answered(self) -> list[float]:
        """What `answer_always` has measured."""
        return list(self._do("answered"))

    def ask(self, name: str, sizes: Sequence[int], pause: float, answer: int) -> float:
        """Send a question in pieces, and receive the answer; seconds from before the last piece
        until the answer's first bytes were there.
        """
        return float(self._do("ask", name, list(sizes), pause, answer))

    def send_file(self, name: str, size: int) -> int:
        """Send by sendfile(2); returns the bytes that the kernel took."""
        return int(self._do("send_file", name, size))

    def peek(self, name: str, size: int) -> int:
        """Look at so many bytes, and leave them."""
        return int(self._do("peek", name, size))

    def shutdown(self, name: str) -> None:
        """Send no more."""
        self._do("shutdown", name)

    def wait_writable(self, name: str) -> None:
        """Wait until a connect has ended."""
        self._do("wait_writable", name)

    def reset(self, name: str) -> None:
        """Close with a RST, and drop what the kernel has not sent."""
        self._do("reset", name)

    def close(self, name: str) -> None:
        """Close this process's copy of a socket."""
        self._do("close", name)

    def serve(self, listener: str) -> None:
        """From now on accept every connection, and take what comes."""
        self._do("serve", listener)

    def flood(self, name: str, size: int, pause: float = 0) -> None:
        """From now on send `size` bytes every `pause` seconds."""
        self._do("flood", name, size, pause)

    def fork(self) -> Puppet:
        """A child that has copies of all sockets."""
        ours, theirs = _pair()
        with theirs:
            child = int(self._do("fork", files=[theirs.fileno()]))
        _value(ours.recv(MESSAGE_BYTES))
        return Puppet(child, ours)

    def execute(self, name: str) -> None:
        """Become another program of this process name, which has the same sockets."""
        self._do("execute", name)

    def end_first_thread(self) -> None:
        """Let another thread do all further steps."""
        self._do("end_first_thread")

    def pass_to(self, other: Puppet, name: str) -> None:
        """Give another process a copy of a socket, by SCM_RIGHTS."""
        file = self._give(name)
        try:
            other._do("take", name, files=[file])
        finally:
            os.close(file)

    def end(self) -> None:
        """Let the process exit, which closes its sockets, and wait until it is gone."""
        self._control.close()
        deadline = time.monotonic() + STEP_SECONDS
        while not _is_gone(self.pid):
            assert time.monotonic() < deadline, f"process {self.pid} does not end"
            time.sleep(POLL_SECONDS)

    def _do(self, *request: object, files: Sequence[int] = ()) -> Any:
        socket.send_fds(self._control, [json.dumps(request).encode()], files)
        return _value(self._control.recv(MESSAGE_BYTES))

    def _give(self, name: str) -> int:
        self._control.send(json.dumps(["give", name]).encode())
        answer, files, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 1)
        _value(answer)
        return files[0]


class StepError(Exception):
    """A step failed; the text is the name of the errno."""


@contextmanager
def puppet(name: str, *, within: Sequence[str] = ()) -> Iterator[Puppet]:
    """Start a puppet with this process name; `within`: words before its command line."""
    ours, theirs = _pair()
    script = [sys.executable, str(PROGRAMS / "puppet.py"), str(theirs.fileno()), name]
    with ours, subprocess.Popen([*within, *script], pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        try:
            yield Puppet(process.pid, ours)
        finally:
            ours.close()
            process.wait(STEP_SECONDS)


def exchange(client: Puppet, server: Puppet, to: tuple[str, int], sent: int, answered: int) -> None:
    """A connection to the server's socket `listener`: bytes there, bytes back, and closed."""
    client.connect("c", *to)
    server.accept("s", "listener")
    client.send("c", sent)
    server.receive("s", sent)
    server.send("s", answered)
    client.receive("c", answered)
    client.close("c")
    assert server.receive("s", 1) == 0
    server.close("s")


def _pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(STEP_SECONDS)
    return ours, theirs


def _value(answer: bytes) -> Any:
    assert answer, "the process ended"
    value, error = json.loads(answer)
    if error:
        raise StepError(error)
    return value


def _is_gone(pid: int) -> bool:
    """No such process, or one of which only the exit code is left."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
