"""What was acknowledged is there after a power cut: all that was not synced is lost in these tests.

So are object files, as a whole, and names of all addresses in them.

The collector's data is on a file system in a file. At a random moment its processes are stopped and
the file is copied: the copy has what was written to the device, and nothing that is only in memory.
EBPROF_POWER_CUTS says how often: once here.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import pytest

from ebprof.elf import ElfImage, open_regular
from ebprof.model import Location
from ebprof.symbolize.excerpts import unpack
from ebprof.symbolize.quality import Quality
from ebprof.wire.symbols import Verdict
from tests import collector_extra, objects, pushes
from tests import senders as load
from tests.collecting import Running
from tests.objects import Object, is_kept, locations, send, want
from tests.stored import SUMMED, store

collector_extra.need()
CUTS = int(os.environ.get("EBPROF_POWER_CUTS", "1"))
IMAGE_SIZE, LARGE_IMAGE = "1G", "4G"
"""Object files are wanted only while more than 1 GiB is free."""
LONGEST_S = 6.0
QUIET_S = 15.0
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
MOST_LIBRARIES = 60


@contextmanager
def mounted(image: Path, where: Path) -> Iterator[Path]:
    where.mkdir()
    made = subprocess.run(["mount", "-o", "loop", image, where], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no loop device can be mounted: {made.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True)


def image_of(path: Path, size: str = IMAGE_SIZE) -> Path:
    """A file with an empty file system."""
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("mkfs.ext4 is not installed")
    subprocess.run(["truncate", "-s", size, path], check=True)
    subprocess.run(["mkfs.ext4", "-q", path], check=True)
    return path


def signalled(running: Running, number: int) -> None:
    """Send a signal to the collector and its store."""
    for pid in (running.process.pid, running.store_pid()):
        if pid is not None:
            os.kill(pid, number)


@pytest.mark.parametrize("cut", range(CUTS))
def test_what_was_acknowledged_survives(tmp_path: Path, cut: int) -> None:
    chance = random.Random()
    image, copy = image_of(tmp_path / "image"), tmp_path / "copy"
    stop, gives_up = threading.Event(), threading.Event()
    with (
        mounted(image, tmp_path / "before") as place,
        Running(place / "data", is_new=True) as running,
    ):
        senders = [
            load.Sender(f"s{number}", lambda: running.port, stop, random.Random(), gives_up)
            for number in range(3)
        ]
        threads = load.start(senders)
        running.wait_until_ready()
        time.sleep(chance.uniform(0, LONGEST_S))
        signalled(running, signal.SIGSTOP)
        acknowledged = [value for sender in senders for value in list(sender.acknowledged)]
        flows = [value for sender in senders for value in list(sender.acknowledged_flows)]
        subprocess.run(["cp", "--sparse=always", image, copy], check=True)
        gives_up.set()
        signalled(running, signal.SIGCONT)
        for thread in threads:
            thread.join(60)
    sent = {value for sender in senders for value in sender.sent}
    sent_flows = {value for sender in senders for value in sender.sent_flows}
    with mounted(copy, tmp_path / "after") as place:
        with Running(place / "data", is_new=True) as again:
            again.wait_until_stored()
        with store(place / "data") as one:
            stored = [value for (value,) in one.rows("SELECT value FROM samples")]
            stored_flows = [value for (value,) in one.rows("SELECT tx_bytes FROM flows")]
            (hours,) = one.rows("SELECT sum(tx_bytes) FROM flows_1h")[0]
            sums = [
                one.rows(
                    f"SELECT service, sum(value) FROM {table} GROUP BY service ORDER BY service"
                )
                for table in SUMMED
            ]
    assert acknowledged
    assert set(acknowledged) <= set(stored)
    assert set(stored) <= sent
    assert len(stored) == len(set(stored))
    assert all(one == sums[0] for one in sums)
    assert set(flows) <= set(stored_flows) <= sent_flows
    assert len(stored_flows) == len(set(stored_flows)) and sum(stored_flows) == hours


# ---- object files -----------------------------------------------------------------------------


def libraries() -> list[Object]:
    """Libraries of this machine, each with a build ID and names of its own."""
    found: dict[str, Object] = {}
    for path in sorted(LIBRARIES.glob("lib*.so.*")):
        if path.is_symlink() or not 20_000 < path.stat().st_size < 2_000_000:
            continue
        one = Object.of(path)
        if one.quality >= Quality.DYNAMIC and one.identity not in found:
            found[one.identity] = one
    return [*found.values()][:MOST_LIBRARIES]


def places_in(one: Object) -> list[Location]:
    """Some addresses in its code."""
    with open_regular(str(one.path)) as file:
        code = next(part for part in ElfImage(file).segments if part.executable)
    step = max(16, code.file_size // 8)
    return locations(one.path, range(code.address + 8, code.address + code.file_size, step))


def send_until(
    running: Running, ones: list[Object], kept: list[Object], over: threading.Event
) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        for one in ones:
            if over.is_set():
                return
            if is_kept(send(running, one)):
                kept.append(one)


@pytest.mark.parametrize("cut", range(CUTS))
def test_object_files_that_were_acknowledged_survive(tmp_path: Path, cut: int) -> None:
    """Those that were on their way are gone or whole, and can be sent again."""
    chance = random.Random()
    image, copy = image_of(tmp_path / "image", LARGE_IMAGE), tmp_path / "copy"
    ones = libraries()
    assert len(ones) > 20
    chance.shuffle(ones)
    kept: list[Object] = []
    over = threading.Event()
    with (
        mounted(image, tmp_path / "before") as place,
        Running(place / "data", is_new=True) as running,
    ):
        running.wait_until_ready()
        profiles = [objects.profile_of(places_in(one)) for one in ones]
        assert running.push(pushes.push(*profiles)).status == 200
        sender = threading.Thread(target=send_until, args=(running, ones, kept, over))
        sender.start()
        end = time.monotonic() + 60
        while not kept and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, LONGEST_S / 3))
        signalled(running, signal.SIGSTOP)
        acknowledged = [*kept]
        subprocess.run(["cp", "--sparse=always", image, copy], check=True)
        over.set()
        signalled(running, signal.SIGCONT)
        sender.join(60)
    assert acknowledged
    with mounted(copy, tmp_path / "after") as place:
        files = {path.name for path in (place / "data" / "objects").glob("*.object.*")}
        assert {f"{one.identity}.object.{one.quality}" for one in acknowledged} <= files
        with Running(place / "data", is_new=True) as again:
            again.wait_until_stored()
            for one in acknowledged:
                verdict, _ = want(again, one)
                assert verdict == Verdict.KNOWN
            for one in ones:
                unpacked(one, place / "data" / "objects", tmp_path)
                if want(again, one)[0] == Verdict.WANTED:
                    assert is_kept(send(again, one))
            wait_until_quiet(again)
        total = sum(len(places_in(one)) for one in ones)
        with store(place / "data") as one_store:
            sql = "SELECT count(), min(version) > 1 FROM file_addresses FINAL"
            assert one_store.rows(sql) == [(total, 1)]


def wait_until_quiet(running: Running) -> None:
    """Wait until nothing was looked up for a while."""
    before, since = -1, time.monotonic()
    while time.monotonic() < since + QUIET_S:
        found = sum(
            running.metric(f'lookups_total{{result="{one}"}}')
            for one in ("named", "unknown", "failed")
        )
        if found != before:
            before, since = found, time.monotonic()
        time.sleep(0.1)


def unpacked(one: Object, directory: Path, room: Path) -> None:
    """Assert that a file that is there has all bytes of what was sent."""
    path = directory / f"{one.identity}.object.{one.quality}"
    if not path.exists():
        return
    with FileIO(str(room / "expected"), "w+b") as file:
        (room / "stream").write_bytes(one.stream)
        with FileIO(str(room / "stream")) as packed:
            unpack(packed, file)
    assert path.read_bytes() == (room / "expected").read_bytes()
