"""Names of addresses by reverse DNS, asked for in the background."""

from __future__ import annotations

import queue
import socket
import threading
from collections import OrderedDict

from ebprof.procfs.text import printable
from ebprof.walls import Walls

MAX_NAMES = 4096
MAX_WAITING = 256
_MAX_LENGTH = 255


class Names:
    """Resolves addresses in a thread, which never holds the process up when it ends.

    At most MAX_NAMES are kept, those asked for last; an address without a name is kept as well.
    When MAX_WAITING are waiting, further ones are not: they are asked for again when they are
    next shown. walls: around each question.
    """

    def __init__(self, walls: Walls | None = None) -> None:
        self._walls = walls or Walls()
        self._names: OrderedDict[str, str | None] = OrderedDict()
        self._waiting: queue.Queue[str] = queue.Queue(MAX_WAITING)
        self._lock = threading.Lock()
        threading.Thread(target=self._resolve, name="names", daemon=True).start()

    def name_of(self, address: str) -> str | None:
        """The name, None until (or when none) is known; never waits."""
        with self._lock:
            if address in self._names:
                self._names.move_to_end(address)
                return self._names[address]
            try:
                self._waiting.put_nowait(address)
            except queue.Full:
                return None
            self._remember(address, None)
        return None

    def _remember(self, address: str, name: str | None) -> None:
        self._names[address] = name
        while len(self._names) > MAX_NAMES:
            self._names.popitem(last=False)

    def _resolve(self) -> None:
        while True:
            address = self._waiting.get()
            name = None
            with self._walls.around(f"name of {address}"):
                name = look_up(address)
            with self._lock:
                self._remember(address, name)


def look_up(address: str) -> str | None:
    """Ask the system's resolver for a name, printable, which may take long; None without one."""
    try:
        name = socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
    except (OSError, UnicodeError):
        return None
    return printable(name)[:_MAX_LENGTH] or None
