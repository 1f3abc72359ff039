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
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE, CompletedProcess
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
from tests.forked import Forked
from tests.live.profiled import (
    SOME,
    assert_most,
    assert_share,
    fold,
    profile,
    profile_each,
    run,
    run_here,
)
from tests.live.waiting import TIME_LIMIT, wait_for_work, wait_until_sampling

NO_PID = 2**22  # the kernel's PID_MAX_LIMIT: never in use
NO_CPU = 8192  # the kernel's NR_CPUS at its largest
EBPROF = [sys.executable, "-m", "ebprof"]
# What a walk without the right rows may end in.
HARMED_STOPS = ("bad_table", "no_row", "broken_frame_pointer", "bad_stack", "unsupported_rule")
OF_A_LOOP = ["--", "sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"]
AS_NOBODY = pytest.mark.skipif(bool(nobody.missing()), reason=nobody.missing())


def assert_one_line(done: CompletedProcess[str], code: int) -> None:
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("ebprof: ")
    assert done.stderr.count("\n") == 1, done.stderr


@contextmanager
def sampling(pid: int, *options: object) -> Iterator[subprocess.Popen[str]]:
    """`ebprof profile -p PID OPTIONS`, once it has sampled half a second of the process's work."""
    words = ["profile", "-p", pid, "-F", 997, *options]
    with Forked("ebprof", *words, stdout=PIPE, stderr=PIPE, text=True) as process:
        try:
            wait_until_sampling(process.pid)
            wait_for_work([pid], 0.5)
            yield process
        finally:
            process.kill()


def with_garbage(program: Path, section: str, directory: Path) -> Path:
    """A copy of a program, a section of it overwritten."""
    copy = copied(program, directory / section)
    with copy.open("r+b") as file:
        found: Any = ELFFile(file).get_section_by_name(section)
        offset, size = found["sh_offset"], found["sh_size"]
        file.seek(offset)
        file.write(random.Random(4).randbytes(size))
    return copy


def copied(program: Path, directory: Path) -> Path:
    """A copy by the name `garbage`."""
    directory.mkdir()
    return Path(shutil.copy(program, directory / "garbage"))


@pytest.mark.parametrize(
    "words",
    [["-p", NO_PID], ["-t", NO_PID], ["-p", 2**70], ["-G", "no/such/cgroup"], ["-C", NO_CPU]],
)
def test_no_target_is_one_line_and_a_code(
    words: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert_one_line(run_here(capsys, "profile", *words), EXIT_NO_TARGET)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--", "/nonexistent"], EXIT_NOT_FOUND),
        (["--", "no-such-command-anywhere"], EXIT_NOT_FOUND),
        (["--", "/etc/passwd"], EXIT_NOT_EXECUTABLE),
        (["--", "/etc"], EXIT_NOT_EXECUTABLE),
        (["-o", "/dev/full", *OF_A_LOOP], EXIT_BAD_FILE),
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


def test_a_reader_that_goes_away() -> None:
    pipe = subprocess.PIPE
    command = [*EBPROF, "profile", "-f", "json", *OF_A_LOOP]
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
    words = [*EBPROF, "profile", "-f", "folded", "-o", str(output), *OF_A_LOOP]
    done = subprocess.run(["sh", "-c", command, "sh", *words], timeout=TIME_LIMIT)
    assert done.returncode == 0
    assert fold(output.read_text()).total() > 0


def test_corrupt_unwind_information_harms_its_own_program_only(tmp_path: Path) -> None:
    corrupt = with_garbage(targets.build("split"), ".eh_frame", tmp_path)
    with targets.started([corrupt, 0]) as bad, targets.running("split") as good:
        done = profile("-p", f"{bad.pid},{good.pid}")
    harmed, whole = done.count_comm("garbage"), done.count_comm("split")
    assert min(harmed, whole) > SOME
    assert_most(done.stops.get("complete", 0), whole, 0.99)
    assert_share(done.count_in("split", "sixty"), whole, 0.6, slack=0.02)
    assert_share(done.count_in("garbage", "sixty"), harmed, 0.6, slack=0.02)
    assert sum(done.stops.values()) == done.total
    assert_most(sum(done.stops.get(name, 0) for name in HARMED_STOPS), harmed, 0.95)


def test_corrupt_symbols_harm_names_only(tmp_path: Path) -> None:
    """Of whichever section, and section headers that lead nowhere; all in one run."""
    corrupt = [
        with_garbage(targets.build("split"), section, tmp_path)
        for section in (".symtab", ".strtab", ".debug_info", ".debug_line")
    ]
    corrupt.append(with_garbage_headers(targets.build("split"), tmp_path))
    with ExitStack() as stack:
        pids = [stack.enter_context(targets.started([path, 0])).pid for path in corrupt]
        for done in profile_each(pids):
            assert done.count_comm("garbage") == done.total > SOME
            assert_most(done.stops["complete"], done.total, 0.99)
            assert "Traceback" not in done.stderr


def with_garbage_headers(program: Path, directory: Path) -> Path:
    """A copy of a program, its section headers overwritten."""
    copy = copied(program, directory / "headers")
    with copy.open("r+b") as file:
        start, size = ELFFile(file)["e_shoff"], 64 * ELFFile(file).num_sections()
        file.seek(start)
        file.write(random.Random(4).randbytes(size))
    return copy


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
        done = profile("-p", target.pid)
    assert done.stats["counters"]["unreadable_files"] == 1
    assert "unreadable_files 1: " in done.stderr
