"""What was acknowledged is there after a power cut: all that was not synced is lost in these tests.

The collector's data is on a file system in a file. At a random moment its processes are stopped and
the file is copied: the copy has what was written to the device, and nothing that is only in memory.
EBPROF_POWER_CUTS says how often: once here.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import collector_extra
from tests import senders as load
from tests.collecting import Running
from tests.stored import store

collector_extra.need()
CUTS = int(os.environ.get("EBPROF_POWER_CUTS", "1"))
IMAGE_SIZE = "1G"
LONGEST_S = 6.0


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


def signalled(running: Running, number: int) -> None:
    """Send a signal to the collector and its store."""
    for pid in (running.process.pid, running.store_pid()):
        if pid is not None:
            os.kill(pid, number)


@pytest.mark.parametrize("cut", range(CUTS))
def test_what_was_acknowledged_survives(tmp_path: Path, cut: int) -> None:
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("mkfs.ext4 is not installed")
    chance = random.Random()
    image, copy = tmp_path / "image", tmp_path / "copy"
    subprocess.run(["truncate", "-s", IMAGE_SIZE, image], check=True)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    stop, gives_up = threading.Event(), threading.Event()
    with mounted(image, tmp_path / "before") as place, Running(place / "data") as running:
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
        with Running(place / "data") as again:
            again.wait_until_stored()
        with store(place / "data") as one:
            stored = [value for (value,) in one.rows("SELECT value FROM samples")]
            stored_flows = [value for (value,) in one.rows("SELECT tx_bytes FROM flows")]
            (hours,) = one.rows("SELECT sum(tx_bytes) FROM flows_1h")[0]
            sums = [
                one.rows(
                    f"SELECT service, sum(value) FROM {table} GROUP BY service ORDER BY service"
                )
                for table in ("samples", "samples_1h", "samples_1d", "services_1h", "services_1d")
            ]
    assert acknowledged
    assert set(acknowledged) <= set(stored)
    assert set(stored) <= sent
    assert len(stored) == len(set(stored))
    assert all(one == sums[0] for one in sums)
    assert set(flows) <= set(stored_flows) <= sent_flows
    assert len(stored_flows) == len(set(stored_flows)) and sum(stored_flows) == hours
