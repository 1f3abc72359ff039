"""Usage: puppet.py CONTROL NAME [SOCKET=DESCRIPTOR ...]

Does with sockets what it is told over its control socket (a file descriptor), and ends with it. A
request is a JSON list, [ACTION, ARGUMENTS...]; the answer is [RESULT, NAME OF ERROR]. Sockets have
names. A file descriptor goes with the request (or the answer) of an action that moves one.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path

MESSAGE_BYTES = 4096
LINK = "PUPPET_LINK"
"""Environment of a program that was executed by a link, which it removes."""
LIBC = ctypes.CDLL(None, use_errno=True)
ANY_FAMILY = struct.pack("H14x", socket.AF_UNSPEC)
LINGER_0 = struct.pack("ii", 1, 0)
PIECE_BYTES = 1 << 16
BACKLOG = 128
OPTIONS = {
    "reuse_port": (socket.SOL_SOCKET, socket.SO_REUSEPORT),
    "v6_only": (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY),
    "fast_open": (socket.IPPROTO_TCP, socket.TCP_FASTOPEN),
}
SYS_EXIT = 60  # x86-64: of one thread
IPPROTO_MPTCP = 262


class Puppet:
    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.sockets: dict[str, socket.socket] = {}
        self.protocol = socket.IPPROTO_TCP
        self.answered: list[float] = []

    def obey(self) -> None:
        while True:
            request, received, _, _ = socket.recv_fds(self.control, MESSAGE_BYTES, 1)
            if not request:
                os._exit(0)
            action, *arguments = json.loads(request)
            sent: list[int] = []
            try:
                answer = [getattr(self, f"do_{action}")(*arguments, *received), ""]
                if action == "give":
                    sent = [self.sockets[arguments[0]].fileno()]
            except OSError as error:
                answer = [None, errno.errorcode.get(error.errno or 0, str(error))]
            socket.send_fds(self.control, [json.dumps(answer).encode()], sent)

    def do_use_mptcp(self) -> None:
        """From now on make sockets of MPTCP."""
        self.protocol = IPPROTO_MPTCP

    def do_listen(
        self, name: str, address: str, port: int, options: dict[str, int] | None = None
    ) -> int:
        options = options or {}
        listener = self.sockets[name] = self._bound(address, port, options)
        listener.listen(options.get("backlog", BACKLOG))
        return int(listener.getsockname()[1])

    def do_connect_from(
        self,
        name: str,
        source: str,
        source_port: int,
        address: str,
        port: int,
        options: dict[str, int],
    ) -> None:
        self.sockets[name] = self._bound(source, source_port, options)
        self.sockets[name].connect((address, port))

    def do_accept(self, name: str, listener: str) -> None:
        self.sockets[name], _ = self.sockets[listener].accept()

    def do_can_accept(self, listener: str) -> bool:
        """Whether a connection waits."""
        return bool(select.select([self.sockets[listener]], [], [], 0)[0])

    def do_connect(self, name: str, address: str, port: int) -> int:
        self.sockets[name] = self._socket_for(address)
        if self.protocol == socket.IPPROTO_TCP:  # MPTCP knows no such option
            self.sockets[name].setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
        self.sockets[name].connect((address, port))
        return int(self.sockets[name].getsockname()[1])

    def do_connect_to_itself(self, name: str, address: str) -> int:
        """One socket that is both ends of a connection."""
        self.sockets[name] = self._socket_for(address)
        self.sockets[name].bind((address, 0))
        port = int(self.sockets[name].getsockname()[1])
        self.sockets[name].connect((address, port))
        return port

    def do_connect_again(self, name: str, address: str, port: int) -> None:
        self.sockets[name].connect((address, port))

    def do_disconnect(self, name: str) -> None:
        """The connection is aborted, the socket can connect again."""
        if LIBC.connect(self.sockets[name].fileno(), ANY_FAMILY, len(ANY_FAMILY)):
            raise OSError(ctypes.get_errno(), "connect")

    def do_begin_connect(self, name: str, address: str, port: int) -> None:
        self.sockets[name] = self._socket_for(address)
        self.sockets[name].setblocking(False)
        self.sockets[name].connect_ex((address, port))

    def do_send(self, name: str, size: int) -> int:
        return self.sockets[name].send(bytes(size))

    def do_send_first(self, name: str, address: str, port: int, size: int) -> int:
        self.sockets[name] = self._socket_for(address)
        return self.sockets[name].sendto(bytes(size), socket.MSG_FASTOPEN, (address, port))

    def do_send_many(self, name: str, size: int, calls: int) -> int:
        data = bytes(size)
        return sum(self.sockets[name].send(data) for _ in range(calls))

    def do_send_urgent(self, name: str, size: int) -> int:
        """The last byte is urgent: it is received apart."""
        return self.sockets[name].send(bytes(size), socket.MSG_OOB)

    def do_receive_urgent(self, name: str) -> int:
        return len(self.sockets[name].recv(1, socket.MSG_OOB))

    def do_fill(self, name: str) -> int:
        """Send until the kernel takes no more."""
        total = 0
        try:
            while True:
                total += self.sockets[name].send(bytes(PIECE_BYTES), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return total

    def do_receive(self, name: str, size: int) -> int:
        """Receive so many bytes, or to the end."""
        left = size
        while left > 0:
            received = len(self.sockets[name].recv(min(left, PIECE_BYTES)))
            if received == 0:
                break
            left -= received
        return size - left

    def do_receive_call(self, name: str, size: int) -> int:
        """One call."""
        return len(self.sockets[name].recv(size))

    def do_answer(self, name: str, size: int, answer: int, pause: float) -> float:
        """Receive a question, wait, and answer; seconds from the one until after the other."""
        select.select([self.sockets[name]], [], [])
        start = time.monotonic()
        self.do_receive(name, size)
        time.sleep(pause)
        self.sockets[name].send(bytes(answer))
        return time.monotonic() - start

    def do_answer_always(self, name: str, size: int, answer: int, pause: float) -> None:
        """From now on do that."""
        arguments = (name, size, answer, pause)
        threading.Thread(target=self._answer_always, args=arguments, daemon=True).start()

    def do_answered(self) -> list[float]:
        """What `answer_always` has measured."""
        return self.answered

    def do_ask(self, name: str, sizes: list[int], pause: float, answer: int) -> float:
        """Send a question in pieces, and receive the answer; seconds from before the last piece
        until the answer's first bytes were there.
        """
        for number, size in enumerate(sizes):
            time.sleep(pause if number else 0)
            start = time.monotonic()
            self.sockets[name].send(bytes(size))
        first = len(self.sockets[name].recv(answer))
        took = time.monotonic() - start
        self.do_receive(name, answer - first)
        return took

    def do_send_file(self, name: str, size: int) -> int:
        """By sendfile(2)."""
        with tempfile.TemporaryFile() as file:
            file.truncate(size)
            return os.sendfile(self.sockets[name].fileno(), file.fileno(), 0, size)

    def do_peek(self, name: str, size: int) -> int:
        return len(self.sockets[name].recv(size, socket.MSG_PEEK | socket.MSG_WAITALL))

    def do_shutdown(self, name: str) -> None:
        self.sockets[name].shutdown(socket.SHUT_WR)

    def do_wait_writable(self, name: str) -> None:
        select.select([], [self.sockets[name]], [])

    def do_reset(self, name: str) -> None:
        """Close with a RST, and drop what the kernel has not sent."""
        self.sockets[name].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
        self.do_close(name)

    def do_close(self, name: str) -> None:
        self.sockets.pop(name).close()

    def do_give(self, name: str) -> None:
        assert name in self.sockets

    def do_take(self, name: str, file: int) -> None:
        self.sockets[name] = socket.socket(fileno=file)

    def do_fork(self, control: int) -> int:
        """Both processes answer, each over its own control socket."""
        child = os.fork()
        if child == 0:
            self.control.close()
            self.control = socket.socket(fileno=control)
        else:
            os.close(control)
        return child

    def do_serve(self, listener: str) -> None:
        """From now on accept all, and take what comes."""
        threading.Thread(target=self._serve, args=(self.sockets[listener],), daemon=True).start()

    def do_execute(self, name: str) -> None:
        """What this program is replaced by gives the answer. It has its name from the first moment,
        as a link to it is executed: who looks before it can set its name sees no other.
        """
        link = Path(tempfile.mkdtemp(), name)
        link.symlink_to(sys.executable)
        os.environ[LINK] = str(link)
        os.set_inheritable(self.control.fileno(), True)
        words = [sys.executable, __file__, str(self.control.fileno()), name]
        for own, one in self.sockets.items():
            os.set_inheritable(one.fileno(), True)
            words.append(f"{own}={one.fileno()}")
        os.execv(link, words)

    def do_end_first_thread(self) -> None:
        """The thread that goes on gives the answer."""
        threading.Thread(target=self._go_on_alone).start()
        LIBC.syscall(SYS_EXIT, 0)

    def do_flood(self, name: str, size: int, pause: float) -> None:
        """From now on send, until the connection breaks."""
        arguments = (self.sockets[name], bytes(size), pause)
        threading.Thread(target=_flood, args=arguments, daemon=True).start()

    def _socket_for(self, address: str) -> socket.socket:
        if ":" not in address:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM, self.protocol)
        created = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, self.protocol)
        created.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return created

    def _bound(self, address: str, port: int, options: dict[str, int]) -> socket.socket:
        bound = self._socket_for(address)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for name, (level, option) in OPTIONS.items():
            if name in options:
                bound.setsockopt(level, option, options[name])
        bound.bind((address, port))
        return bound

    def _go_on_alone(self) -> None:
        while Path("/proc/self/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.001)
        self.confirm()
        self.obey()

    def confirm(self) -> None:
        """Answer a request of an earlier thread or program."""
        self.control.send(json.dumps([None, ""]).encode())

    def _answer_always(self, name: str, size: int, answer: int, pause: float) -> None:
        while True:
            self.answered.append(self.do_answer(name, size, answer, pause))

    def _serve(self, listener: socket.socket) -> None:
        while True:
            accepted, _ = listener.accept()
            threading.Thread(target=_drain, args=(accepted,), daemon=True).start()


def _drain(accepted: socket.socket) -> None:
    while accepted.recv(PIECE_BYTES):
        pass


def _flood(connected: socket.socket, data: bytes, pause: float) -> None:
    while True:
        connected.sendall(data)
        time.sleep(pause)


def main(arguments: list[str]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _, control, name, *inherited = arguments
    Path("/proc/self/comm").write_text(name)
    if link := os.environ.pop(LINK, ""):
        Path(link).unlink()
        Path(link).parent.rmdir()
    puppet = Puppet(socket.socket(fileno=int(control)))
    for word in inherited:
        own, _, descriptor = word.partition("=")
        puppet.sockets[own] = socket.socket(fileno=int(descriptor))
    if inherited:
        puppet.confirm()
    puppet.obey()


if __name__ == "__main__":
    main(sys.argv)
