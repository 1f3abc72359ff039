"""Fuzzes what reads foreign bytes: C by libFuzzer, Python by atheris.

    python -m tests.fuzz --seconds 600            # all targets, the time shared out evenly
    python -m tests.fuzz --seconds 60 elf pprof
    python -m tests.fuzz --seconds 12 --sample 5   # those in C, and five of the others
    python -m tests.fuzz --keep          # of what runs here have found, add the best to `corpus`

A run begins from the inputs in `corpus`, from seeds, and from what earlier runs found, which is in
build/fuzz. What fails is written there as well, and its path printed; the exit code is 1 then.
`python -m tests.fuzz.reader NAME FILE` runs one input again; when it is mended, the input becomes a
unit test, or a line of `corpus`.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz import corpus, reader, sections
from tests.fuzz.reader import BUILT

HERE = Path(__file__).parent
C_TARGETS = sorted(path.stem for path in HERE.glob("*_fuzz.c"))
LONGEST_INPUT = {
    "elf": 1 << 15,
    "go": 1 << 16,
    "symbols": 1 << 15,
    "maps": 1 << 15,
    "kallsyms": 1 << 14,
}
ORDINARY_INPUT = 1 << 13
THRICE = {"pprof_batch": "pprof"}
"""Targets that cut an input into three, and the readers that have seeds for these."""
CPUS = len(os.sched_getaffinity(0))
LIMITS = ("-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0")


def main(arguments: list[str]) -> int:
    """Run targets, one a CPU at a time; 1 when one of them found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=int,
        default=60,
        help="for all targets together, as many of which run at a time as there are CPUs",
    )
    parser.add_argument(
        "--sample",
        type=int,
        help="so many of the readers in Python, at random: each takes seconds to begin",
    )
    parser.add_argument("--keep", action="store_true", help="write corpus instead")
    parser.add_argument("targets", nargs="*", help="default: all")
    options = parser.parse_args(arguments)
    known = [*C_TARGETS, *reader.names()]
    targets = options.targets or [*C_TARGETS, *_sampled(_runnable(), options.sample)]
    if unknown := set(targets) - set(known):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    _build(set(targets) & set(C_TARGETS))
    seconds = max(1, options.seconds // len(targets))
    work: Callable[[str], bool | None] = keep if options.keep else partial(fuzz, seconds=seconds)
    with ThreadPoolExecutor(CPUS) as pool:
        return 1 if False in [*pool.map(work, targets)] else 0


def _build(targets: Iterable[str]) -> None:
    names = [f"../../build/fuzz/{target}" for target in targets]
    if names:
        subprocess.run(["make", "-s", f"-j{CPUS}", "-C", str(HERE), *names], check=True)


def _runnable() -> list[str]:
    if find_spec("atheris") is not None:
        return reader.names()
    print("no atheris here: readers in Python are left out", file=sys.stderr)
    return []


def _sampled(names: list[str], count: int | None) -> list[str]:
    """So many of some names, all where it is None or there are fewer."""
    return sorted(random.sample(names, len(names) if count is None else min(count, len(names))))


def fuzz(target: str, seconds: int) -> bool:
    """Run one target for a while; says what came of it, True when it found nothing."""
    began = time.monotonic()
    options = [
        *LIMITS,
        f"-max_len={LONGEST_INPUT.get(target, ORDINARY_INPUT)}",
        f"-max_total_time={seconds}",
        f"-artifact_prefix={BUILT}/{target}-",
    ]
    command = [*_command(target), *options, *_directories(target)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    runs = _statistic(done.stderr, "number_of_executed_units")
    print(f"{target:<14} {runs:>9} inputs in {time.monotonic() - began:.0f} s", flush=True)
    if done.returncode:
        print(done.stdout + done.stderr, flush=True)
    return done.returncode == 0


def keep(target: str) -> None:
    """Have the corpus hold the shortest inputs that reach all code that is known to be reached."""
    with tempfile.TemporaryDirectory() as merged:
        command = [*_command(target), *LIMITS, "-merge=1", merged, *_directories(target)]
        subprocess.run(command, check=True, capture_output=True)
        corpus.keep(target, [path.read_bytes() for path in Path(merged).iterdir()])
    print(f"{target:<14} {len(corpus.kept(target)):>9} inputs kept", flush=True)


def _command(target: str) -> list[str]:
    if target in C_TARGETS:
        return [str(BUILT / target)]
    return [sys.executable, "-m", "tests.fuzz.reader", target]


def _directories(target: str) -> list[str]:
    """Where libFuzzer keeps what it finds to be new, and what it begins from."""
    found, directory = BUILT / f"{target}.corpus", BUILT / f"{target}.seeds"
    for one in (found, directory):
        one.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate([*_seeds(target), *corpus.kept(target)]):
        (directory / str(number)).write_bytes(seed)
    return [str(found), str(directory)]


def _seeds(target: str) -> Iterator[bytes]:
    same = target.removesuffix("_fuzz")
    if same in THRICE:
        return (3 * one for one in reader.load(THRICE[same]).seeds())
    is_read = same in reader.names()
    return reader.load(same).seeds() if is_read else sections.of(target)


def _statistic(text: str, name: str) -> str:
    lines = (line.split() for line in text.splitlines() if line.startswith(f"stat::{name}:"))
    return next((words[1] for words in lines), "?")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
