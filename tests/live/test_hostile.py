"""Processes that misbehave on purpose, beside one that does not: decisions/0011 line by line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from ebprof.errors import EXIT_NO_TARGET
from tests import targets
from tests.live.profiled import (
    FREQUENCY,
    SOME,
    Profiled,
    after_work,
    assert_share,
    fold,
    profile,
    profile_each,
    run,
)
from tests.live.waiting import TIME_LIMIT

MOST_MEMORY = 512 << 20
MOST_CPU_S = 70
"""Of ebprof, for a run and what comes after it: a machine that is busy elsewhere takes longer."""
WORK = ("main", "misbehave", "work")
TOP_INTERVAL = 1
TOP_WORK_SECONDS = 0.5
"""Of processes whose functions are to be seen at 99 Hz."""


@contextmanager
def beside(*arguments: object) -> Iterator[tuple[targets.Running, targets.Running]]:
    """A hostile process, and one that is to be profiled well all the same."""
    with targets.running("hostile", *arguments) as hostile, targets.running("split") as victim:
        yield hostile, victim


def check_victim(done: Profiled) -> None:
    """The other process's samples are all there, complete and right; the tool stayed small."""
    total = done.count_comm("split")
    assert total > SOME
    assert_share(done.count_in("split", "sixty"), total, 0.6, slack=0.05)
    assert_share(done.count_calls("serve", "thirty"), total, 0.3, slack=0.05)
    check_run(done)


def check_parts(done: Profiled) -> None:
    """Of a whole machine, on which not all tables may be there yet: what has names is right."""
    parts = [done.count_calls("serve", name) for name in ("sixty", "thirty", "ten")]
    assert_share(parts[0], sum(parts), 0.6, slack=0.05)


def check_run(done: Profiled) -> None:
    """Nothing is lost but what a counter tells of, and the tool stayed within its limits."""
    assert sum(done.stops.values()) == done.stats["samples"]["total"] == done.total
    assert done.stats["tool"]["max_rss_bytes"] < MOST_MEMORY
    assert done.stats["tool"]["cpu_seconds"] < MOST_CPU_S
    assert "Traceback" not in done.stderr
    assert all(line.isprintable() for line in done.stderr.splitlines())


def test_mappings_that_change_all_the_time() -> None:
    with beside("churn") as (hostile, victim):
        done = profile("-p", f"{hostile.pid},{victim.pid}")
    check_victim(done)
    assert done.count_calls(*WORK) + done.stops.get("no_table_yet", 0) > SOME


def test_mappings_that_change_all_the_time_on_a_whole_machine() -> None:
    """Every change is reported to us: more than anybody can read. What is lost is counted, and
    harms no sample of others.
    """
    with beside("churn") as (hostile, victim):
        done = profile("-a", work_of=[hostile.pid, victim.pid], work=2, frequency=299)
    check_run(done)
    check_parts(done)
    assert done.stats["counters"]["changes_lost"] > 0


def test_more_mappings_than_there_is_room_for() -> None:
    with beside("many", 30_000) as (hostile, victim):
        done = profile("-p", f"{hostile.pid},{victim.pid}")
    check_victim(done)
    assert done.stats["counters"]["mappings_full"] > 0


def test_stack_pointers_that_lead_nowhere() -> None:
    with beside("stack") as (hostile, victim):
        done = profile("-p", f"{hostile.pid},{victim.pid}", "-U")
    check_victim(done)
    harmed = sum(done.stops.get(name, 0) for name in ("read_fault", "no_mapping", "bad_stack"))
    assert harmed > SOME
    assert done.count_in("hostile", "work_anywhere") + done.count_in("hostile", "work_at") > SOME


def test_a_root_that_changes_all_the_time(tmp_path: Path) -> None:
    with beside("roots", tmp_path) as (hostile, victim):
        done = profile("-p", f"{hostile.pid},{victim.pid}")
    check_victim(done)
    assert done.count_calls(*WORK) > SOME


def test_a_process_that_a_child_of_its_own_traces() -> None:
    with beside("traced") as (hostile, victim):
        until = after_work([hostile.pid, victim.pid], are_stopped=False)
        done = profile("-p", f"{hostile.pid},{victim.pid}", until=until)
    check_victim(done)
    assert done.count_calls(*WORK) > SOME


def test_a_command_that_is_traced() -> None:
    program = targets.build("hostile")
    done = run("profile", "-q", "-f", "folded", "--", program, 2, "traced")
    assert done.returncode == 0, done.stderr
    assert "main;misbehave;work" in done.stdout


def test_an_overwritten_vdso_harms_nobody_else() -> None:
    with beside("vdso") as (hostile, victim):
        done = profile("-p", f"{hostile.pid},{victim.pid}")
    check_victim(done)
    assert done.count_calls(*WORK) > SOME


# A name that is a field of /proc/PID/status, one that begins a line, and what a terminal obeys.
NAMES = (b"\rUid:\tx", b"a;b\n1 2\x1b[2J", b"\xff\xfe\r0::/x")


@contextmanager
def named(names: Sequence[bytes]) -> Iterator[list[int]]:
    """A process of each name."""
    program = targets.build("hostile")
    with ExitStack() as stack:
        pids = []
        for name in names:
            process = stack.enter_context(
                subprocess.Popen([program, "0", "name", name], stdout=subprocess.PIPE)
            )
            stack.callback(process.kill)
            assert process.stdout and process.stdout.readline() == b"ready\n"
            pids.append(process.pid)
        yield pids


def test_names_of_processes() -> None:
    with named(NAMES) as pids:
        found = profile_each(pids)
    for done in found:
        check_run(done)
        (comm,) = {one[0] for one in done.stacks}
        assert comm.isprintable() and ";" not in comm
        assert done.count_calls(*WORK) > SOME


@pytest.mark.parametrize("name", NAMES)
def test_a_thread_of_such_a_name(name: bytes) -> None:
    with named([name]) as (pid,):
        words = ("profile", "-t", pid, "-F", FREQUENCY, "-q", "-f", "folded")
        done = run(*words, until=after_work([pid], 0.2))
    assert done.returncode == 0, done.stderr
    assert fold(done.stdout).total() > SOME


ODD_NAME = b"x;y\n3 4\x1b[2J\xff\xc2\x9b31m"


def test_names_of_files_and_of_functions(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/" + ODD_NAME
    renamed = subprocess.run(
        [b"objcopy", b"--redefine-sym", b"sixty=" + ODD_NAME, targets.build("split"), path]
    )
    assert renamed.returncode == 0
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen([path, b"0"], stdout=subprocess.PIPE))
        stack.callback(process.kill)
        assert process.stdout and process.stdout.readline() == b"ready\n"
        done = profile("-p", process.pid)
        outputs = [
            run("profile", "-p", process.pid, "-q", "-f", name, until=after_work([process.pid]))
            for name in ("table", "json", "speedscope", "svg")
        ]
    check_run(done)
    names = {name for one in done.stacks for name in one}
    assert all(name.isprintable() for name in names)
    (odd,) = {name for one in done.stacks for name in one[1:] if name.startswith("x:y")}
    assert_share(done.count_of(odd), done.total, 0.6, slack=0.05)
    for output in outputs:
        assert output.returncode == 0, output.stderr
        assert not any(char in output.stdout for char in "\x1b\x9b\r\udcff")


# ---- perf maps --------------------------------------------------------------------------------


def plant_fifo(path: Path) -> None:
    os.mkfifo(path)


def plant_directory(path: Path) -> None:
    path.mkdir()


def plant_device(path: Path) -> None:
    os.mknod(path, 0o20666, os.makedev(1, 5))  # /dev/zero


def plant_link(path: Path) -> None:
    path.symlink_to("/etc/shadow")


def plant_link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def plant_anothers(path: Path) -> None:
    path.write_bytes(b"0 ffffffffffff planted\n")
    os.chown(path, 65534, 65534)


PLANTS = (
    plant_fifo,
    plant_directory,
    plant_device,
    plant_link,
    plant_link_to_a_device,
    plant_anothers,
)


def test_what_is_no_perf_map() -> None:
    """Each in the place of a process's map; all processes in one run."""
    with ExitStack() as stack:
        pids = [stack.enter_context(targets.running("jit")).pid for _ in PLANTS]
        for pid, plant in zip(pids, PLANTS, strict=True):
            path = Path(f"/tmp/perf-{pid}.map")
            path.unlink()
            plant(path)
            stack.callback(remove, path)
        found = profile_each(pids)
    for pid, done in zip(pids, found, strict=True):
        assert f"perf-{pid}.map" in done.stderr and "not read" in done.stderr
        names = {name for one in done.stacks for name in one}
        assert "planted" not in names and not any("root:" in name for name in names)
        assert done.count(lambda stack: stack[-1].startswith("[anon]+0x")) > SOME
        check_run(done)


def remove(path: Path) -> None:
    path.rmdir() if path.is_dir() else path.unlink()


def test_an_endless_perf_map() -> None:
    """It grows all the time, by lines that are right, too long, and none."""
    with targets.running("jit") as target:
        path = Path(f"/tmp/perf-{target.pid}.map")
        stop = threading.Event()
        writer = threading.Thread(target=grow, args=(path, stop))
        writer.start()
        try:
            done = profile("-p", target.pid)
        finally:
            stop.set()
            writer.join()
    check_run(done)
    assert done.count_calls("main", "call_jitted", "jitted_entry", "jitted_leaf") > SOME


def grow(path: Path, stop: threading.Event) -> None:
    block = b"10 1 x\n" * 100_000 + b"y" * 100_000 + b"\n\xff\x1b\n"
    with path.open("ab") as file:
        for _ in range(256):
            if stop.is_set():
                return
            file.write(block)


# ---- processes that cannot be looked at as others -----------------------------------------------


def test_a_stopped_process() -> None:
    with beside("name", "stopped") as (hostile, victim):
        os.kill(hostile.pid, signal.SIGSTOP)
        done = profile("-p", f"{hostile.pid},{victim.pid}", work_of=[victim.pid])
        assert done.count_comm("stopped") <= 1
        check_victim(done)


def test_a_zombie() -> None:
    with subprocess.Popen(["true"]) as process:
        while "Z" not in Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2]:
            time.sleep(0.01)
        done = run("profile", "-p", process.pid, "-d", 1)
    assert done.returncode == EXIT_NO_TARGET, done.stderr
    assert done.stderr.count("\n") == 1


def test_a_frozen_process(tmp_path: Path) -> None:
    with beside("name", "frozen") as (hostile, victim), cgroup(tmp_path / "cgroups") as group:
        (group / "cgroup.procs").write_text(str(hostile.pid))
        (group / "cgroup.freeze").write_text("1")
        try:
            done = profile("-p", f"{hostile.pid},{victim.pid}", work_of=[victim.pid])
        finally:
            (group / "cgroup.freeze").write_text("0")
            (group.parent / "cgroup.procs").write_text(str(hostile.pid))
    assert done.count_comm("frozen") <= 1
    check_victim(done)


@contextmanager
def cgroup(directory: Path) -> Iterator[Path]:
    """A cgroup (v2), in a hierarchy that is mounted for it."""
    directory.mkdir()
    mount = ["mount", "-t", "cgroup2", "none", str(directory)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount cgroup2 here")
    group = directory / f"ebprof-test-{os.getpid()}"
    try:
        group.mkdir()
        yield group
    finally:
        group.rmdir()
        subprocess.run(["umount", str(directory)], check=True)


def test_processes_that_are_gone_while_they_are_read() -> None:
    loop = ["sh", "-c", "while :; do /bin/true & /bin/true & wait; done"]
    with (
        targets.running("split") as victim,
        subprocess.Popen(loop, start_new_session=True) as process,
    ):
        try:
            done = profile("-a", work_of=[victim.pid, process.pid], work=0.4)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    check_run(done)
    check_parts(done)


# ---- files ----------------------------------------------------------------------------------


@contextmanager
def stripped(directory: Path) -> Iterator[tuple[Path, Path]]:
    """A program without symbols, and its debug file beside it."""
    program, debug = directory / "split", directory / "split.debug"
    source = targets.build("split")
    subprocess.run(["objcopy", "--only-keep-debug", source, debug], check=True)
    link = f"--add-gnu-debuglink={debug}"
    subprocess.run(["objcopy", "--strip-all", link, source, program], check=True)
    yield program, debug


def test_a_debug_file_that_is_cut_while_it_is_read(tmp_path: Path) -> None:
    with stripped(tmp_path) as (program, debug), targets.started([program, 0]) as target:
        whole = debug.read_bytes()
        stop = threading.Event()
        writer = threading.Thread(target=cut, args=(debug, whole, stop))
        writer.start()
        try:
            runs = [profile("-p", target.pid) for _ in range(3)]
        finally:
            stop.set()
            writer.join()
    for done in runs:
        check_run(done)
        assert done.complete_share > 0.99


def cut(path: Path, whole: bytes, stop: threading.Event) -> None:
    with path.open("r+b", buffering=0) as file:
        while not stop.is_set():
            os.ftruncate(file.fileno(), 100)
            os.pwrite(file.fileno(), whole, 0)


def test_links_out_of_a_root(tmp_path: Path) -> None:
    """A program in a root of its own, whose links lead to a debug file that is the host's."""
    root = tmp_path / "root"
    (root / "app").mkdir(parents=True)
    with stripped(tmp_path) as (_, debug):
        static = root / "app/split"
        source = targets.build("split", "static")
        secret = tmp_path / "secret.debug"
        subprocess.run(["objcopy", "--only-keep-debug", source, secret], check=True)
        link = f"--add-gnu-debuglink={secret}"
        subprocess.run(["objcopy", "--strip-all", link, source, static], check=True)
        debug.unlink()
    (root / "app/secret.debug").symlink_to(secret)
    (root / "tmp").symlink_to("/tmp")
    command = ["chroot", str(root), "/app/split", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout and process.stdout.readline() == b"ready\n"
            hidden = profile("-p", process.pid)
            (root / "app/secret.debug").unlink()
            shutil.copy(secret, root / "app/secret.debug")
            given = profile("-p", process.pid)
        finally:
            process.kill()
    check_run(hidden)
    assert hidden.count_of("sixty") == 0 and hidden.total > SOME
    assert hidden.complete_share > 0.99
    assert_share(given.count_of("sixty"), given.total, 0.6, slack=0.05)


def test_few_files_may_be_open(tmp_path: Path) -> None:
    """A process maps more files than we may open; the profile is written all the same."""
    code = (
        "import mmap, pathlib, sys\n"
        "source = pathlib.Path(sys.argv[1]).read_bytes()\n"
        "kept = []\n"
        "for n in range(100):\n"
        "    path = pathlib.Path(sys.argv[2], f'{n}.so')\n"
        "    path.write_bytes(source)\n"
        "    with path.open('rb') as file:\n"
        "        kept.append(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_EXEC))\n"
        "print('ready', flush=True)\n"
        "while True: pass\n"
    )
    output = tmp_path / "out.folded"
    command = [sys.executable, "-c", code, targets.build("plugin"), tmp_path]
    with targets.started(command) as target:
        options = ["-p", target.pid, "-d", 2, "-F", 997, "-o", output]
        limited = ["prlimit", "--nofile=128:128", sys.executable, "-m", "ebprof", "profile"]
        words = [str(word) for word in [*limited, *options]]
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIME_LIMIT)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "files_full" in done.stderr
    assert fold(output.read_text()).total() > SOME


# ---- surprises ----------------------------------------------------------------------------------


def with_section_of(size: int, name: str, source: Path, path: Path) -> None:
    """Copy a program; the header of a section says another size, which the kernel does not read."""
    with source.open("rb") as file:
        elf = ELFFile(file)
        number = elf.get_section_index(name)
        place = elf["e_shoff"] + number * elf["e_shentsize"] + elf.structs.Elf_Shdr.sizeof() // 2
        data = bytearray(source.read_bytes())
    struct.pack_into("<Q", data, place, size)
    path.write_bytes(data)
    path.chmod(0o755)


def test_a_section_that_is_larger_than_any_file(tmp_path: Path) -> None:
    path = tmp_path / "hostile"
    with_section_of(36 << 30, ".init", targets.build("hostile"), path)
    with (
        targets.started([path, 0, "name", "hostile"]) as hostile,
        targets.running("split") as victim,
    ):
        done = profile("-p", f"{hostile.pid},{victim.pid}")
    check_victim(done)
    assert done.count_in("hostile", "work") + done.count_comm("hostile") > SOME
    assert "readers_failed" not in done.stats["counters"]


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[int]]:
    """A process that is not read without a surprise, one whose file is not, and one of neither."""
    monkeypatch.delenv("EBPROF_RAISE")
    monkeypatch.setenv("FAULTY_PROCESS", "process")
    monkeypatch.setenv("FAULTY_FILE", "file")
    program = targets.build("hostile")
    shutil.copy(program, tmp_path / "file")
    with (
        targets.started([program, 0, "name", "process"]) as process,
        targets.started([tmp_path / "file", 0, "name", "file"]) as file,
        targets.running("split") as victim,
    ):
        yield [process.pid, file.pid, victim.pid]


def test_a_surprise_among_all_processes(faulty: list[int]) -> None:
    done = profile("-a", work_of=faulty, module="tests.live.faulty")
    check_run(done)
    check_parts(done)
    assert done.stats["counters"]["readers_failed"] > 1
    kinds = {one.partition(" at ebprof/")[0] for one in done.stats["failures"]}
    assert {"AttributeError", "OverflowError"} <= kinds
    (said,) = (line for line in done.stderr.splitlines() if "readers_failed" in line)
    assert "nobody expected" in said
    assert ": no maps (" in done.stderr and ": no rows (" in done.stderr
    assert done.count_of("work") == 0
    assert done.count_comm("process") > SOME and done.count_comm("file") > SOME


def test_a_surprise_while_top_shows_all_processes(faulty: list[int]) -> None:
    worked = after_work(faulty, TOP_WORK_SECONDS)

    def until(top: int) -> None:
        worked(top)
        time.sleep(1.5 * TOP_INTERVAL)

    words = ("top", "-F", 99, "--json", TOP_INTERVAL)
    done = run(*words, module="tests.live.faulty", until=until)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "readers_failed" in done.stderr and "warning: " in done.stderr
    rows = [row for line in done.stdout.splitlines() for row in json.loads(line)["rows"]]
    assert {"sixty", "thirty"} <= {row["name"] for row in rows}
