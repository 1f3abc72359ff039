"""The process that looks names up: `python -m ebprof.collector.symbols.process DESCRIPTOR CACHE`.

It answers look-ups from a socket until that is closed, and dies with the collector. What a hostile
object file makes of it, it makes of nobody else. DWARF is read, and names are demangled, in a
process below it (symbolize/worker.py).
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from ebprof.collector.store.wire import Failure, pack, receive
from ebprof.collector.symbols.client import Found
from ebprof.errors import EbprofError
from ebprof.parent import die_with_parent
from ebprof.signals import ENDING
from ebprof.symbolize.lookup import Names
from ebprof.walls import describe

MEMORY = 6 << 30
"""Address space; SymCaches and NumPy's libraries are a part of it."""
_NICENESS = 10


def serve(connection: socket.socket, names: Names) -> None:
    """Answer until the other end is closed."""
    while True:
        try:
            number, lookup = receive(connection)
        except (EOFError, OSError):
            return
        connection.sendall(pack(number, _answer(names, lookup)))


def _answer(names: Names, lookup: Any) -> Any:
    try:
        before = names.problems
        found = names.find(lookup)
        return Found(found, tuple(names.warnings()), names.problems - before)
    except EbprofError as error:
        return Failure(error.message, error.hint, is_question=True)
    except Exception as error:
        return Failure(describe(error), "", is_question=False)


def main(arguments: list[str]) -> None:
    """See the module's description."""
    die_with_parent(signal.SIGKILL)
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # the collector ends us when it is done
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    os.nice(_NICENESS)
    names = Names(Path(arguments[1]))
    serve(socket.socket(fileno=int(arguments[0])), names)
    names.close()


if __name__ == "__main__":
    main(sys.argv[1:])
