"""What goes wrong while a user profiles: one line, a documented code, never a traceback."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from ebprof.errors import (
    EXIT_BAD_FILE,
    EXIT_NO_PERMISSION,
    EXIT_NO_TARGET,
    EXIT_NOT_EXECUTABLE,
    EXIT_NOT_FOUND,
    EXIT_UNSUPPORTED,
)
from ebprof.output import read_profile
from tests import nobody, targets
from tests.live.profiled import SOME, TIME_LIMIT, assert_share, fold, profile, run

NO_PID = 2**22  # the kernel's PID_MAX_LIMIT: never in use
NO_CPU = 8192  # the kernel's NR_CPUS at its largest
EBPROF = [sys.executable, "-m", "ebprof"]
# What a walk without the right rows may end in.
HARMED_STOPS = ("bad_table", "no_row", "broken_frame_pointer", "bad_stack", "unsupported_rule")
AS_NOBODY = pytest.mark.skipif(bool(nobody.missing()), reason=nobody.missing())


def assert_one_line(done: subprocess.CompletedProcess[str], code: int) -> None:
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("ebprof: ")
    assert done.stderr.count("\n") == 1, done.stderr


@contextmanager
def sampling(pid: int, *options: object) -> Iterator[subprocess.Popen[str]]:
    """`ebprof profile -p PID OPTIONS`, once it has sampled half a second of the process's work."""
    command = [*EBPROF, "profile", "-p", str(pid), "-F", "997", *map(str, options)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            wait_for_event(process)
            wait_for_work(pid, 0.5)
            yield process
        finally:
            process.kill()


def wait_for_event(process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + TIME_LIMIT
    while not has_event(process.pid):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.05)


def wait_for_work(pid: int, seconds: float) -> None:
    """Wait until a process has used that much more of a CPU, however busy the machine is."""
    limit = time.monotonic() + TIME_LIMIT
    end = cpu_seconds(pid) + seconds
    while cpu_seconds(pid) < end:
        assert time.monotonic() < limit
        time.sleep(0.02)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process: fields 14 and 15 of proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def has_event(pid: int) -> bool:
    """Whether a process holds a perf event, which it opens when all else is set up."""
    links = Path(f"/proc/{pid}/fd")
    with suppress(OSError):
        return any("[perf_event]" in str(link.readlink()) for link in links.iterdir())
    return False


def with_garbage(program: Path, section: str, directory: Path) -> Path:
    """A copy of a program, a section of it overwritten."""
    copy = directory / "garbage"
    shutil.copy(program, copy)
    with copy.open("r+b") as file:
        found: Any = ELFFile(file).get_section_by_name(section)
        offset, size = found["sh_offset"], found["sh_size"]
        file.seek(offset)
        file.write(random.Random(4).randbytes(size))
    return copy


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["-p", NO_PID], EXIT_NO_TARGET),
        (["-t", NO_PID], EXIT_NO_TARGET),
        (["-p", 2**70], EXIT_NO_TARGET),
        (["-G", "no/such/cgroup"], EXIT_NO_TARGET),
        (["-C", NO_CPU], EXIT_NO_TARGET),
        (["--", "/nonexistent"], EXIT_NOT_FOUND),
        (["--", "no-such-command-anywhere"], EXIT_NOT_FOUND),
        (["--", "/etc/passwd"], EXIT_NOT_EXECUTABLE),
        (["--", "/etc"], EXIT_NOT_EXECUTABLE),
        (["-d", "1", "-I", "-o", "/dev/full"], EXIT_BAD_FILE),
    ],
)
def test_one_line_and_a_code(words: list[object], code: int) -> None:
    assert_one_line(run("profile", *words), code)


def test_an_event_that_the_machine_does_not_count() -> None:
    done = run("profile", "-e", "cycles", "-d", "0.1", "-q")
    if done.returncode == 0:
        pytest.skip("this machine counts cycles")
    assert_one_line(done, EXIT_UNSUPPORTED)


def test_a_thread_is_no_process() -> None:
    with targets.running("threads") as target:
        tids = [int(path.name) for path in Path(f"/proc/{target.pid}/task").iterdir()]
        thread = max(tid for tid in tids if tid != target.pid)
        done = run("profile", "-p", thread)
    assert_one_line(done, EXIT_NO_TARGET)
    assert f"-t {thread}" in done.stderr


@pytest.mark.parametrize(
    ("script", "code"), [("exit 5", 5), ("exit 0", 0), ("kill -9 $$", 137), ("kill -15 $$", 143)]
)
def test_the_code_of_the_command_is_passed_on(script: str, code: int) -> None:
    assert run("profile", "-q", "--", "sh", "-c", script).returncode == code


@AS_NOBODY
@pytest.mark.parametrize("words", [["-d", 1], ["-p", 1], ["-p", os.getpid()], ["--", "true"]])
def test_not_root(words: list[object]) -> None:
    assert_one_line(nobody.run("profile", *words), EXIT_NO_PERMISSION)


@AS_NOBODY
@pytest.mark.parametrize("path", ["/etc/x", "/root/x", "/proc/x"])
def test_a_place_that_is_not_ours(path: str) -> None:
    assert_one_line(nobody.run("profile", "-d", 1, "-o", path), EXIT_BAD_FILE)


def test_a_process_that_ends_meanwhile(tmp_path: Path) -> None:
    output = tmp_path / "out.folded"
    with (
        targets.running("split") as target,
        sampling(target.pid, "-d", 10 * TIME_LIMIT, "-o", output) as process,
    ):
        os.kill(target.pid, signal.SIGKILL)
        _, text = process.communicate(timeout=TIME_LIMIT)
    assert process.returncode == 0, text
    assert fold(output.read_text()).total() > SOME


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_ends_the_run_and_keeps_the_result(
    number: signal.Signals, times: int, tmp_path: Path
) -> None:
    output = tmp_path / "out.pb.gz"
    with (
        targets.running("split") as target,
        sampling(target.pid, "-o", output) as process,
    ):
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.02)
        _, text = process.communicate(timeout=TIME_LIMIT)
    assert process.returncode == 0, text
    assert "Traceback" not in text
    assert read_profile(str(output)).total > SOME
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize("is_background", [False, True])
def test_an_interrupt_before_sampling_leaves_nothing(is_background: bool, tmp_path: Path) -> None:
    """Also in a script's background, where signals to interrupt are ignored from the start.

    Python ends by the signal itself where that came while it executed a string (as data classes
    are made): to a shell, that is 130 too.
    """
    command = [*EBPROF, "profile", "-o", str(tmp_path / "out"), "--", "sleep", "77777"]
    if is_background:
        command = ["env", "--ignore-signal=INT", *command]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            while "_native" not in Path(f"/proc/{process.pid}/maps").read_text():
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, text = process.communicate(timeout=TIME_LIMIT)
        finally:
            process.kill()
    assert "Traceback" not in text
    assert process.returncode in (0, 130, -signal.SIGINT)
    assert process.returncode == 0 or not list(tmp_path.iterdir())


def test_an_old_result_stays_when_the_run_fails(tmp_path: Path) -> None:
    output = tmp_path / "out.folded"
    output.write_text("old 1\n")
    assert_one_line(run("profile", "-p", NO_PID, "-o", output), EXIT_NO_TARGET)
    assert output.read_text() == "old 1\n"
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize("words", [["profile", "-d", "0.5", "-f", "json"], ["doctor"]])
def test_a_reader_that_goes_away(words: list[str]) -> None:
    command = [*EBPROF, *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        text = process.stderr.read()
    assert process.returncode == 0
    assert "Traceback" not in text and "BrokenPipe" not in text


def test_a_reader_that_goes_away_does_not_change_the_code_of_the_command() -> None:
    command = [*EBPROF, "profile", "--", "sh", "-c", "exit 5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.close()
    assert process.returncode == 5


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_from_the_start(closed: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    command = f'exec "$@" {closed}'
    words = [*EBPROF, "profile", "-d", "0.5", "-f", "folded", "-o", str(output)]
    done = subprocess.run(["sh", "-c", command, "sh", *words], timeout=TIME_LIMIT)
    assert done.returncode == 0
    fold(output.read_text())


def test_corrupt_unwind_information_harms_its_own_program_only(tmp_path: Path) -> None:
    corrupt = with_garbage(targets.build("split"), ".eh_frame", tmp_path)
    with targets.started([corrupt, 0]) as bad, targets.running("split") as good:
        done = profile("-p", f"{bad.pid},{good.pid}")
    harmed, whole = done.count_comm("garbage"), done.count_comm("split")
    assert min(harmed, whole) > SOME
    assert done.stops.get("complete", 0) >= 0.99 * whole
    assert_share(done.count_in("split", "sixty"), whole, 0.6, slack=0.02)
    assert_share(done.count_in("garbage", "sixty"), harmed, 0.6, slack=0.02)
    assert sum(done.stops.values()) == done.total
    assert sum(done.stops.get(name, 0) for name in HARMED_STOPS) >= 0.95 * harmed, done.stops


@pytest.mark.parametrize("section", [".symtab", ".strtab", ".debug_info", ".debug_line"])
def test_corrupt_symbols_harm_names_only(section: str, tmp_path: Path) -> None:
    corrupt = with_garbage(targets.build("split"), section, tmp_path)
    with targets.started([corrupt, 0]) as bad:
        done = profile("-p", bad.pid)
    assert done.count_comm("garbage") == done.total > SOME
    assert done.complete_share > 0.99
    assert "Traceback" not in done.stderr


def test_section_headers_that_lead_nowhere(tmp_path: Path) -> None:
    corrupt = tmp_path / "garbage"
    shutil.copy(targets.build("split"), corrupt)
    with corrupt.open("r+b") as file:
        start, size = ELFFile(file)["e_shoff"], 64 * ELFFile(file).num_sections()
        file.seek(start)
        file.write(random.Random(4).randbytes(size))
    with targets.started([corrupt, 0]) as bad:
        done = profile("-p", bad.pid)
    assert done.count_comm("garbage") == done.total > SOME
    assert "Traceback" not in done.stderr


def test_code_in_a_file_that_is_no_program_is_counted(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_bytes(bytes(4096))
    script = (
        "import mmap\n"
        f"file = open({str(text)!r}, 'rb')\n"
        "code = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_EXEC)\n"
        "print('ready', flush=True)\n"
        "while True: pass\n"
    )
    with targets.started([sys.executable, "-c", script]) as target:
        done = profile("-p", target.pid, seconds=1)
    assert done.stats["counters"]["unreadable_files"] == 1
    assert "unreadable_files 1: " in done.stderr
