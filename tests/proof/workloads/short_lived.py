"""Processes that are gone before anybody looks at them."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.proof.elsewhere import accounted
from tests.proof.start import program, program_from_start
from tests.proof.truth import any_of, below, chains, without
from tests.proof.workload import SHORT_LIVED_BAR, Aim, Workload
from tests.proof.workloads.others import THREAD

FILES = 500
LOOP = "i=0; while [ $i -lt {turns} ]; do ls -l {directory} >/dev/null; i=$((i+1)); done"
SOURCES = 24
SOURCE = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
static int compare{n}(const void *a, const void *b) {{ return strcmp(*(char **)a, *(char **)b); }}
int work{n}(char **words, size_t count) {{
    qsort(words, count, sizeof(*words), compare{n});
    for (size_t i = 0; i < count; i++) printf("%s %g\\n", words[i], sin((double)i));
    return 0;
}}
"""
FORKER = any_of(
    below(["main"], ["work_parent"], ["run_child", "work_forked"], ["work_execed"]),
    without("work_", accounted),
)

JOB = "job(double)"
IN_THREAD = any_of(chains([JOB, ...], start=THREAD), without(JOB, accounted))
IN_PROCESS = any_of(
    chains(["main", JOB, ...], ["main", "in_process", JOB, ...]), without(JOB, accounted)
)


def loop(turns: int, directory: Path) -> tuple[str, ...]:
    """A shell that runs ls so many times."""
    for number in range(FILES):
        (directory / f"file{number}").touch()
    return ("sh", "-c", LOOP.format(turns=turns, directory=directory))


@contextmanager
def shell_loop() -> Iterator[Aim]:
    """Profiled from its start, with its children."""
    with tempfile.TemporaryDirectory() as directory:
        yield Aim(command=loop(150, Path(directory)))


@contextmanager
def machine() -> Iterator[Aim]:
    """Running since before anybody looked: all `ls` of the whole machine."""
    with (
        tempfile.TemporaryDirectory() as directory,
        subprocess.Popen(loop(1_000_000, Path(directory)), stderr=subprocess.DEVNULL) as shell,
    ):
        try:
            yield Aim(options=("-a", "--comm", "ls"))
        finally:
            shell.kill()


@contextmanager
def make() -> Iterator[Aim]:
    """`make -j` of many small files in C."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        for number in range(SOURCES):
            (place / f"source{number}.c").write_text(SOURCE.format(n=number))
        objects = " ".join(f"source{number}.o" for number in range(SOURCES))
        (place / "Makefile").write_text(f"all: {objects}\n")
        yield Aim(command=("make", "-s", "-j", "-C", place, "CFLAGS=-O2"))


WORKLOADS = (
    Workload(
        "children of 6 ms",
        program_from_start("forker", 3, 20),
        FORKER,
        bar=SHORT_LIVED_BAR,
        everywhere=True,
    ),
    Workload("shell loop of ls", shell_loop, accounted, bar=SHORT_LIVED_BAR, everywhere=True),
    Workload("all ls of the machine", machine, accounted, bar=SHORT_LIVED_BAR, seconds=3),
    Workload("make -j", make, accounted, bar=SHORT_LIVED_BAR),
    Workload("threads of 2 ms", program("jobs", 2_000), IN_THREAD, everywhere=True),
    Workload("threads of 0.5 ms", program("jobs", 500), IN_THREAD),
    Workload("forks of 2 ms", program("jobs", 2_000, "process"), IN_PROCESS, bar=SHORT_LIVED_BAR),
    Workload("programs of 2 ms", program("jobs", 2_000, "exec"), IN_PROCESS, bar=SHORT_LIVED_BAR),
)
