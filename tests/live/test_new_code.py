"""Samples in code that came a moment ago: short-lived processes, new libraries, large programs."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import slow, targets
from tests.live.profiled import (
    COMPLETE_SHARE,
    SOME,
    Profiled,
    assert_most,
    profile,
    profile_command,
)

SHORT_LIVED_SHARE = 0.95
LOOP = """
i=0; while [ $i -lt {turns} ]; do
    ls -lR {directory} >/dev/null; seq 1 30000 >/dev/null; seq 1 5000 | sort -r >/dev/null
    i=$((i+1))
done
"""
PROGRAMS = ("sh", "ls", "seq", "sort")
SOURCE = """
#include <map>
#include <regex>
#include <string>
bool work(const std::string &text) {
    std::map<std::string, int> seen;
    return std::regex_match(text, std::regex("a+b")) && ++seen[text] > 0;
}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory that takes `ls -l` a few milliseconds."""
    files = tmp_path / "files"
    files.mkdir()
    for number in range(500):
        (files / f"file{number}").touch()
    return files


def check_accounts(done: Profiled) -> None:
    """Every sample is in the profile, and has one stop reason."""
    samples = done.stats["samples"]
    assert samples["lost"] == 0
    assert samples["total"] == done.total == sum(done.stops.values())


def check_objects_known(done: Profiled) -> None:
    """Hardly a sample has an address of which not even the object is known.

    What remains is taken while a process leaves, after all that is known of it was dropped.
    """
    nameless = {stack: n for stack, n in done.stacks.items() if "[anon]" in "".join(stack)}
    assert sum(nameless.values()) <= 0.01 * done.total, nameless


@contextmanager
def looping(directory: Path) -> Iterator[int]:
    """The loop, running since before anybody looked; its PID."""
    command = ["sh", "-c", LOOP.format(turns=100000, directory=directory)]
    with subprocess.Popen(command) as shell:
        try:
            yield shell.pid
        finally:
            shell.kill()


def test_a_loop_of_short_lived_processes(directory: Path) -> None:
    done = profile_command("sh", "-c", LOOP.format(turns=60, directory=directory))
    check_accounts(done)
    assert done.stats["counters"]["deferred"] > 100
    assert done.complete_share >= SHORT_LIVED_SHARE, done.stops
    check_objects_known(done)
    assert min(done.count_comm(name) for name in ("ls", "seq", "sort")) > 10


@pytest.mark.parametrize(
    "name", ["ls", *(pytest.param(n, marks=slow.only) for n in ("seq", "sort"))]
)
def test_short_lived_processes_of_the_whole_machine(name: str, directory: Path) -> None:
    with looping(directory) as shell:
        done = profile("-a", "--comm", name, work_of=[shell], seconds=3)
    check_accounts(done)
    assert done.total > SOME
    assert done.complete_share >= SHORT_LIVED_SHARE, done.stops


def test_processes_in_another_root(tmp_path: Path, directory: Path) -> None:
    root = make_root(tmp_path / "root")
    shutil.copytree(directory, root / "files")
    script = "i=0; while [ $i -lt 100 ]; do /bin/ls -l /files; i=$((i+1)); done >/listed"
    done = profile_command("chroot", root, "/bin/sh", "-c", script)
    check_accounts(done)
    assert done.count_comm("ls") > SOME
    assert done.complete_share >= SHORT_LIVED_SHARE, done.stops
    check_objects_known(done)


def make_root(root: Path) -> Path:
    """A root directory with sh and ls in it, and nothing else."""
    programs = [str(shutil.which(name)) for name in ("sh", "ls")]
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    words = (word for word in listed.split() if word.startswith("/") and not word.endswith(":"))
    for file in {*words}:
        copy = root / file.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    (root / "bin").mkdir(exist_ok=True)
    for program in programs:
        shutil.copy(program, root / "bin")
    return root


@pytest.mark.skipif(shutil.which("clang-19") is None, reason="no clang-19 here")
def test_a_large_program_from_its_start(tmp_path: Path) -> None:
    source = tmp_path / "source.cpp"
    source.write_text(SOURCE)
    done = profile_command("clang-19", "-O1", "-c", source, "-o", tmp_path / "source.o")
    check_accounts(done)
    assert done.stats["counters"]["deferred"] > 10
    assert done.complete_share >= 0.995, done.stops


@pytest.mark.parametrize(
    ("target", "again"),
    [
        ("process", ["reopen"]),
        ("machine", []),
        pytest.param("process", [], marks=slow.only),
        pytest.param("machine", ["reopen"], marks=slow.only),
    ],
)
def test_a_plugin_is_known_from_its_first_sample(target: str, again: list[str]) -> None:
    with targets.running("dlopen", targets.build("plugin"), 700, *again) as running:
        options = ["-p", running.pid] if target == "process" else ["-a", "--comm", "dlopen"]
        done = profile(*options, work_of=[running.pid], work=1)
    check_accounts(done)
    inside = done.count_of("plugin_leaf")
    assert inside > SOME
    assert done.count_calls("main", "use_plugin", "plugin_work", "plugin_leaf") == inside
    assert_most(done.stops["complete"], done.with_user_stack, COMPLETE_SHARE)


def test_an_address_that_stays_unknown_costs_little() -> None:
    with targets.running("bogus") as target:
        done = profile("-p", target.pid, work=1)
    check_accounts(done)
    assert done.stops["no_mapping"] >= 0.99 * done.total
    assert done.count_of("work") >= 0.99 * done.total
    assert done.stats["counters"]["deferred"] < 0.1 * done.total


def test_processes_shorter_than_a_period_are_sampled() -> None:
    loop = "for i in $(seq 300); do ls /usr/lib >/dev/null; done"
    before = cpu_seconds_of_children()
    done = profile_command("sh", "-c", loop, options=("-F", 99))
    used = cpu_seconds_of_children() - before - done.stats["tool"]["cpu_seconds"]
    assert done.total >= 0.5 * 99 * used
    assert done.count_comm("ls") >= 0.3 * done.total


def cpu_seconds_of_children() -> float:
    """CPU time of all processes that were started and waited for, and of their own."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
