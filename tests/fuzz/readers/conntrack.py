"""What the kernel's connection tracking says of translated connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from ebprof.procfs.conntrack import ENTRY, parse
from ebprof.traffic.translations import Translations
from ebprof.walls import Walls
from tests.translated import UDP, Connection, done, error, message

WEB = Connection("10.1.0.2:4001", "10.1.0.1:80", "10.2.0.2:8080", "10.2.0.1:4001")
SIX = Connection("fd00::2:4001", "fd00::1:80", "fd01::2:8080")


def read(data: bytes) -> None:
    """Whatever is taken for a connection becomes a pair of flows that know each other."""
    with suppress(OSError):
        rows = parse(data).rows
        known = Translations(Walls())
        known.learn(np.frombuffer(b"".join(rows), ENTRY))
        assert bool(len(known)) == bool(rows)
        wanted = np.ones(len(known), np.bool_)
        assert known.have(known.clients, wanted).all()
        assert known.have(known.servers, wanted).all()


def seeds() -> Iterator[bytes]:
    """Datagrams of a dump."""
    yield message(WEB) + message(SIX) + done()
    yield message(WEB, zone=True) + message(SIX, late_status=True)
    yield message(Connection("10.1.0.2:53", "10.1.0.1:53", "10.2.0.2:53", protocol=UDP)) + done(4)
    yield error(1)
