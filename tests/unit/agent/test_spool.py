"""The spool: what was written is there after a kill, or counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ebprof.agent.kinds import EXPORTS, FLOWS, PROFILES
from ebprof.agent.pushes import Push
from ebprof.agent.spool import Spool
from ebprof.errors import EbprofError
from ebprof.metrics import Counters
from tests.unit.agent.fakes import counters

BODY = b"x" * 84
MUCH = 1 << 20


class Opened:
    """A spool and what it counts."""

    def __init__(self, directory: Path, max_bytes: int = MUCH) -> None:
        self.counters: Counters = counters()
        self.spool = Spool(directory, max_bytes, self.counters)

    def dropped(self, reason: str) -> int:
        return self.counters.value("dropped_samples_total", reason)

    def take_all(self) -> list[bytes]:
        """Bodies of all files in their order, which are removed."""
        found = []
        while (entry := self.spool.hold(0)) is not None:
            body = self.spool.read(entry)
            if body is not None:
                found.append(body)
                self.spool.remove(entry)
        return found


def test_pushes_stay_in_order_until_they_are_removed(tmp_path: Path) -> None:
    first = Opened(tmp_path / "spool")
    for number in range(12):
        first.spool.write(Push(b"%d" % number, 1))
    first.spool.close()
    again = Opened(tmp_path / "spool")
    assert len(again.spool) == 12
    entry = again.spool.hold(0)
    assert entry is not None and again.spool.read(entry) == b"0"
    again.spool.remove(entry)
    again.spool.write(Push(b"12", 1))
    assert again.take_all() == [b"%d" % number for number in range(1, 13)]
    assert again.spool.size == 0 and list((tmp_path / "spool").iterdir()) == [
        tmp_path / "spool" / "lock"
    ]


def test_flows_are_told_from_profiles(tmp_path: Path) -> None:
    first = Opened(tmp_path)
    first.spool.write(Push(b"p", 7))
    first.spool.write(Push(b"f", 3, FLOWS))
    first.spool.close()
    again = Opened(tmp_path)
    kinds = []
    while (entry := again.spool.hold(0)) is not None:
        kinds.append((entry.kind, entry.amount))
        again.spool.remove(entry)
    assert kinds == [(PROFILES, 7), (FLOWS, 3)]


def test_what_is_of_another_protocol_is_dropped_and_counted(tmp_path: Path) -> None:
    first = Opened(tmp_path)
    first.spool.write(Push(b"p", 7))
    first.spool.write(Push(b"f", 3, FLOWS))
    first.spool.close()
    counted = counters()
    again = Spool(tmp_path, 1 << 20, counted, (EXPORTS,))
    assert len(again) == 0
    assert counted.value("dropped_samples_total", "protocol") == 7
    assert counted.value("dropped_flows_total", "protocol") == 3


def test_flows_that_are_lost_are_counted_as_flows(tmp_path: Path) -> None:
    first = Opened(tmp_path, max_bytes=300)
    for number in range(1, 5):
        first.spool.write(Push(b"x" * 84, number, FLOWS))
    first.spool.close()
    assert first.counters.value("dropped_flows_total", "spool_full") == 1
    (tmp_path / ".000000000000009-5.flows.new").write_bytes(b"half")
    again = Opened(tmp_path)
    assert again.counters.value("dropped_flows_total", "torn") == 5
    assert again.counters.values("dropped_samples_total") == {}


@pytest.mark.parametrize("is_renamed", [True, False])
def test_a_kill_at_any_byte(tmp_path: Path, is_renamed: bool) -> None:
    """Even where a file has its name before its bytes, as a broken disk may leave it."""
    model = Opened(tmp_path / "model")
    model.spool.write(Push(BODY, 7))
    (path,) = (tmp_path / "model").glob("*.push")
    data = path.read_bytes()
    for length in range(len(data)):
        directory = tmp_path / f"{length}"
        before = Opened(directory)
        before.spool.write(Push(b"whole", 1))
        before.spool.close()
        name = f"{2:015}-7.push" if is_renamed else f".{2:015}-7.push.new"
        (directory / name).write_bytes(data[:length])
        after = Opened(directory)
        assert after.take_all() == [b"whole"]
        assert after.counters.value("spool_torn_total") == 1
        assert after.dropped("torn") == 7
        assert not (directory / name).exists()
        after.spool.close()


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.spool.write(Push(BODY, 7))
    (path,) = tmp_path.glob("*.push")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert opened.take_all() == []
    assert opened.dropped("torn") == 7


def test_a_full_spool_drops_the_oldest_but_not_what_is_on_its_way(tmp_path: Path) -> None:
    opened = Opened(tmp_path, max_bytes=300)
    opened.spool.write(Push(b"0" * 84, 10))
    held = opened.spool.hold(0)
    for number in range(1, 5):
        opened.spool.write(Push(b"%d" % number * 84, number))
    assert held is not None and held.amount == 10
    assert opened.dropped("spool_full") == 1 + 2
    assert opened.spool.size <= 300
    assert [body[:1] for body in opened.take_all()] == [b"0", b"3", b"4"]


def test_a_smaller_spool_drops_at_the_start(tmp_path: Path) -> None:
    first = Opened(tmp_path)
    for number in range(4):
        first.spool.write(Push(BODY, number))
    first.spool.close()
    again = Opened(tmp_path, max_bytes=250)
    assert again.dropped("spool_full") == 0 + 1
    assert len(again.take_all()) == 2


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Opened(tmp_path)

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        opened.spool.write(Push(BODY, 1))
    assert len(opened.spool) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    for name in ("readme", "1-1.push", "000000000000001-01.push"):
        (tmp_path / name).write_text("x")
    assert Opened(tmp_path).take_all() == []
    assert len(list(tmp_path.iterdir())) == 4


def test_a_directory_is_of_one_agent(tmp_path: Path) -> None:
    first = Opened(tmp_path)
    with pytest.raises(EbprofError, match="another agent's"):
        Opened(tmp_path)
    first.spool.close()
    Opened(tmp_path)


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EbprofError, match="cannot use"):
        Opened(tmp_path / "file" / "spool")
