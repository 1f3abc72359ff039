"""Runs `ebprof profile` and looks at what it takes meanwhile; makes many programs out of one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ebprof.elf import ElfImage
from ebprof.procfs.process import start_time
from tests import targets
from tests.forked import Forked
from tests.live.profiled import Profiled, fold

LOOK_S = 0.2
BUILD_ID_TAIL = 8


@dataclass(frozen=True, slots=True)
class Look:
    """What ebprof takes at a moment: seconds since its start, bytes of memory, open files."""

    time: float
    rss: int
    files: int


@dataclass(frozen=True, slots=True)
class LongRun:
    """A run and the looks at it."""

    done: Profiled
    looks: tuple[Look, ...]

    @property
    def growth(self) -> int:
        """Bytes of memory at the end of the sampling beyond those after half of it.

        Tables and names of the first samples take 20 MB, which are there late on a busy machine.
        """
        sampling = self._while_sampling
        half = sampling[len(sampling) // 2]
        return max(look.rss for look in sampling[-3:]) - half.rss

    @property
    def most_files(self) -> int:
        """Files open at the same time."""
        return max(look.files for look in self.looks)

    @property
    def _while_sampling(self) -> list[Look]:
        tool = self.done.stats["tool"]
        start = float(tool["ready_seconds"])
        end = start + float(self.done.stats["duration_seconds"])
        return [look for look in self.looks if start <= look.time <= end]


def watch(*options: object, seconds_at_most: float = 120) -> LongRun:
    """`ebprof profile OPTIONS`, looked at every 0.2 s."""
    with tempfile.TemporaryDirectory() as directory:
        output, stats = Path(directory) / "out", Path(directory) / "stats"
        files = ["-e", "cpu-clock", "-f", "folded", "-o", output, "--stats", stats]
        words = ["profile", "--no-inline", *files, *options]
        with Forked("ebprof", *words, stderr=subprocess.PIPE) as process:
            looks = tuple(_looks(process, seconds_at_most))
            _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
        done = Profiled(fold(output.read_text()), json.loads(stats.read_text()), errors.decode())
    return LongRun(done, looks)


def _looks(process: subprocess.Popen[bytes], seconds_at_most: float) -> Iterator[Look]:
    start = start_time(process.pid) / os.sysconf("SC_CLK_TCK")
    while process.poll() is None:
        now = time.clock_gettime(time.CLOCK_BOOTTIME) - start
        if now > seconds_at_most:
            process.kill()
            raise AssertionError(f"it still runs after {seconds_at_most} s")
        try:
            rss = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            files = sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir())
        except FileNotFoundError:
            continue
        yield Look(now, rss * os.sysconf("SC_PAGESIZE"), files)
        time.sleep(LOOK_S)


def copies(program: Path, count: int, directory: Path) -> list[Path]:
    """The same program so many times, each a file and a build ID of its own."""
    data = bytearray(program.read_bytes())
    with program.open("rb", buffering=0) as file:
        note = ElfImage(file).section(".note.gnu.build-id")
    assert note is not None
    place = note.offset + note.size - BUILD_ID_TAIL
    made = []
    for number in range(count):
        data[place : place + BUILD_ID_TAIL] = number.to_bytes(BUILD_ID_TAIL, "little")
        made.append(directory / f"brief{number}")
        made[-1].write_bytes(data)
        shutil.copymode(program, made[-1])
    return made


@contextmanager
def churning(*programs: Path) -> Iterator[None]:
    """Processes that come and go, one after the other, the programs by turns."""
    with targets.started([targets.build("churn"), 0, 0, *programs]):
        yield
