"""`-e u:/path:function -p PID`: the file that the process maps at the path, whatever ours is."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ebprof.procfs import process
from tests import targets
from tests.live.profiled import Profiled, count_events, run

BEATS_A_SECOND = 100
SECONDS = 1
AN_HOUR_MS = 3_600_000
"""When the first thread leaves, for which the C library would need libgcc."""
FUNCTION = "clock_nanosleep"


def library() -> str:
    """The path by which programs name the C library; a part of it is a link on most systems."""
    return next(path for path in dependencies(targets.build("headless")) if "/libc.so" in path)


def dependencies(program: Path) -> list[str]:
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+)", listing)


def make_root(root: Path) -> Path:
    """A directory with the program and copies of its libraries, each a file of its own."""
    program = targets.build("headless")
    for path in dependencies(program):
        copy = root / path.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    shutil.copy(program, root / "prog")
    return root


@contextmanager
def in_root(root: Path) -> Iterator[int]:
    """A process that works in this root; its number."""
    with targets.started(["chroot", root, "/prog", 0, AN_HOUR_MS]) as target:
        yield target.pid


def check(done: Profiled, processes: int = 1) -> None:
    """The clock beats in each process, and no beat that comes late is left out."""
    expected = BEATS_A_SECOND * processes * done.stats["duration_seconds"]
    assert 0.8 * expected < done.total <= 1.1 * expected


def calls_of(event: str, *pids: int) -> Profiled:
    done = count_events(event, "-p", ",".join(map(str, pids)), "-d", SECONDS)
    assert done.count_of("beat") == 0 and done.count_of("run_beat") == done.total
    return done


def test_a_process_in_a_root_of_its_own(tmp_path: Path) -> None:
    with in_root(make_root(tmp_path)) as pid:
        check(calls_of(f"u:{library()}:{FUNCTION}", pid))


def test_processes_with_different_roots(tmp_path: Path) -> None:
    roots = [make_root(tmp_path / name) for name in "ab"]
    with in_root(roots[0]) as one, in_root(roots[1]) as other, targets.running("headless") as ours:
        event = f"u:{library()}:{FUNCTION}"
        check(calls_of(event, one, other, ours.pid), 3)


def test_a_thread_and_a_path_through_a_link_and_the_path_that_we_see(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    real = library()
    (root / "opt").symlink_to(Path(real).parent)  # absolute: it leads elsewhere in another root
    with in_root(root) as pid:
        beat = max(process.threads(pid))  # the last one that was started
        event = f"u:/opt/{Path(real).name}:{FUNCTION}"
        done = count_events(event, "-t", beat, "-d", SECONDS)
        check(done)
        check(calls_of(f"u:{root}{real}:{FUNCTION}", pid))


@pytest.mark.parametrize("is_replaced", [False, True], ids=["deleted", "replaced"])
def test_a_file_that_was_upgraded_meanwhile(tmp_path: Path, is_replaced: bool) -> None:
    root = make_root(tmp_path)
    real = library()
    with in_root(root) as pid:
        (root / real.lstrip("/")).unlink()
        if is_replaced:
            shutil.copy(real, root / real.lstrip("/"))
        check(calls_of(f"u:{real}:{FUNCTION}", pid))


def test_a_file_that_the_process_does_not_map() -> None:
    with targets.running("headless") as target:
        done = run("profile", "-e", "u:/usr/bin/env:main", "-p", target.pid, "-d", 1)
        assert done.returncode == 3
        assert f"PID {target.pid} maps no /usr/bin/env" in done.stderr
        gone = run("profile", "-e", "u:/no/such/file:main", "-p", target.pid, "-d", 1)
        assert (gone.returncode, "cannot open /no/such/file" in gone.stderr) == (6, True)


def test_a_library_of_another_name_is_offered(tmp_path: Path) -> None:
    other = tmp_path / "libc.so.7"
    shutil.copy(library(), other)
    with targets.running("headless") as target:
        done = run("profile", "-e", f"u:{other}:{FUNCTION}", "-p", target.pid, "-d", 1)
    assert done.returncode == 3
    assert f"it maps {Path(library()).resolve()}" in done.stderr


def test_an_event_that_nothing_could_meet_says_so(tmp_path: Path) -> None:
    copy = tmp_path / "unused"
    shutil.copy(targets.build("headless"), copy)
    done = run("profile", "-e", f"u:{copy}:beat", "-d", 1)
    assert done.returncode == 0
    assert f"no process maps {copy}" in done.stderr
    with targets.running("headless") as target:
        done = run("profile", "-e", f"u:{target.path}:finish", "-d", 1)
    assert "no process maps" not in done.stderr
