"""Whose turn it is to send what, and how far it has come."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from ebprof.collector.receive.refusals import RefusedError, TooLargeError
from ebprof.collector.symbols.files import ObjectFiles
from ebprof.collector.symbols.uploads import MAX_STREAM, MAX_STREAMS, TURN_S, Offer, Uploads
from ebprof.wire.symbols import Verdict
from tests.objects import Object

LIBRARY = Object.of(Path("/usr/lib/x86_64-linux-gnu/libm.so.6"))
STREAM = LIBRARY.stream
CHECKSUM = hashlib.sha256(STREAM).digest()
HALF = len(STREAM) // 2
OFFER = Offer("sender-1", LIBRARY.identity, False, LIBRARY.quality, len(STREAM))
OTHER = replace(OFFER, sender="sender-2")


class World:
    def __init__(self, path: Path) -> None:
        self.now = 1000.0
        self.kept: list[str] = []
        self.files = ObjectFiles(path / "objects", 1 << 32)
        self.uploads = Uploads(self.files, self.kept.append, lambda: self.now)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_one_sender_at_a_time(world: World) -> None:
    assert world.uploads.decide(OFFER) == (Verdict.WANTED, 0)
    assert world.uploads.take(OFFER, 0, STREAM[:HALF], b"").offset == HALF
    assert world.uploads.decide(OFFER) == (Verdict.WANTED, HALF)
    assert world.uploads.decide(OTHER) == (Verdict.LATER, 0)
    assert world.uploads.take(OTHER, 0, STREAM, CHECKSUM).is_kept is False
    progress = world.uploads.take(OFFER, HALF, STREAM[HALF:], CHECKSUM)
    assert (progress.offset, progress.is_kept) == (len(STREAM), True)
    assert world.kept == [LIBRARY.identity]
    assert world.uploads.decide(OTHER) == (Verdict.KNOWN, 0)
    assert world.uploads.size == 0


def test_who_is_silent_loses_his_turn(world: World) -> None:
    world.uploads.take(OFFER, 0, STREAM[:HALF], b"")
    world.now += TURN_S
    assert world.uploads.decide(OFFER) == (Verdict.WANTED, HALF), "as nobody else came"
    assert world.uploads.take(OTHER, 0, STREAM, CHECKSUM).is_kept
    assert world.uploads.take(OFFER, HALF, STREAM[HALF:], CHECKSUM).offset == 0


def test_parts_come_in_their_order(world: World) -> None:
    world.uploads.take(OFFER, 0, STREAM[:HALF], b"")
    assert world.uploads.take(OFFER, HALF + 1, b"x", b"").offset == HALF
    assert world.uploads.take(OFFER, 0, STREAM[:HALF], b"").offset == HALF
    assert world.uploads.take(OFFER, HALF, STREAM[HALF:], CHECKSUM).is_kept


def test_more_than_was_said_is_refused(world: World) -> None:
    with pytest.raises(TooLargeError):
        world.uploads.take(OFFER, 0, STREAM + b"x", CHECKSUM)
    assert world.uploads.decide(OTHER) == (Verdict.WANTED, 0)


def test_less_than_was_said_is_refused(world: World) -> None:
    boast = replace(OFFER, quality=4)
    assert world.uploads.take(OFFER, 0, STREAM, CHECKSUM).is_kept
    assert world.uploads.decide(boast) == (Verdict.WANTED, 0)
    before = (world.files.directory / f"{LIBRARY.identity}.object.{LIBRARY.quality}").stat()
    assert world.uploads.take(boast, 0, STREAM, CHECKSUM).is_kept, "there is one as good"
    after = (world.files.directory / f"{LIBRARY.identity}.object.{LIBRARY.quality}").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize(
    "offer",
    [
        replace(OFFER, identity="../../../etc/passwd"),
        replace(OFFER, identity=""),
        replace(OFFER, identity="ABCD"),
        replace(OFFER, identity="htl-12"),
        replace(OFFER, identity=f"htl-{'0' * 32}", is_debug=True),
        replace(OFFER, sender="../x"),
        replace(OFFER, sender=""),
        replace(OFFER, quality=0),
        replace(OFFER, quality=5),
        replace(OFFER, size=0),
        replace(OFFER, size=MAX_STREAM + 1),
    ],
    ids=str,
)
def test_what_is_never_wanted(world: World, offer: Offer) -> None:
    assert world.uploads.decide(offer) == (Verdict.NEVER, 0)
    with pytest.raises(RefusedError):
        world.uploads.take(offer, 0, b"x", b"")
    assert [one.name for one in world.files.directory.iterdir()] == ["new"]


def test_streams_are_not_any_number(world: World) -> None:
    for number in range(MAX_STREAMS):
        one = replace(OFFER, identity=f"{number:04x}")
        assert world.uploads.take(one, 0, b"x", b"").offset == 1
    last = replace(OFFER, identity="ffff")
    assert world.uploads.decide(last) == (Verdict.LATER, 0)
    assert world.uploads.take(last, 0, b"x", b"").offset == 0
    assert world.uploads.size == MAX_STREAMS
    world.now += TURN_S
    assert world.uploads.decide(last) == (Verdict.WANTED, 0), "the others are silent"


def test_a_start_removes_what_was_on_its_way(tmp_path: Path) -> None:
    before = World(tmp_path)
    before.uploads.take(OFFER, 0, STREAM[:HALF], b"")
    after = World(tmp_path)
    assert not list((after.files.directory / "new").iterdir())
    assert after.uploads.take(OFFER, HALF, STREAM[HALF:], CHECKSUM).offset == 0
