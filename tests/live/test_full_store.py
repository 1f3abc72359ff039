"""A collector whose disk fills up: what it acknowledges is kept, and it recovers by itself."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ebprof.wire.symbols import Verdict
from tests import collector_extra, objects, pushes
from tests.collecting import Answer, Running
from tests.stored import SUMMED, store

collector_extra.need()
PATIENCE_S = 60
CPU_NS = 30_000_000
"""Of a profile that `pushes` makes."""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=96m", "small", str(place)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(path: Path) -> None:
    """Have a file that takes all that is left."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 20)):
            """It writes what there is room for, until that is nothing."""


def push(running: Running) -> Answer:
    """Push a profile that was not pushed before."""
    return running.push(pushes.push(pushes.pprof_bytes()))


def test_pushes_are_refused_until_there_is_room(small: Path) -> None:
    data = small / "data"
    with Running(data) as running:
        running.wait_until_ready()
        assert push(running).status == 200
        running.wait_until_stored()
        fill(small / "ballast")
        acknowledged, end = 1, time.monotonic() + PATIENCE_S
        # What was given back meanwhile, as by a merge, is taken as well.
        while (answer := push(running)).status == 200 and time.monotonic() < end:
            acknowledged += 1
            fill(small / "ballast")
        assert (answer.status, answer.headers["retry-after"]) == (429, "10")
        assert running.metric('pushes_total{result="log_full"}') == 1
        assert running.metric("disk_free_bytes") < 8 << 20
        ready = running.get("/-/ready")
        assert ready.status == 503
        assert "MiB are left on the disk of " in " ".join(ready.json["problems"])
        verdict, _ = objects.want(running, objects.Object.of(Path("/bin/true")))
        assert verdict == Verdict.LATER
        (small / "ballast").unlink()
        assert push(running).status == 200
        acknowledged += 1
        running.wait_until_ready()
        running.wait_until_stored()
        assert "Traceback" not in running.end()
    with store(data) as one:
        for table in SUMMED:
            found = one.rows(f"SELECT sum(value) FROM {table}")
            assert found == [(acknowledged * CPU_NS,)], table
