"""A known split between three functions, however the program was built."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests import targets
from tests.live.profiled import COMPLETE_SHARE, assert_complete, assert_most, assert_share, profile
from tests.proof.measure import stacks_of
from tests.proof.stack import Stack
from tests.proof.start import program
from tests.proof.truth import chain

SPLIT = {"sixty": 0.6, "thirty": 0.3, "ten": 0.1}
# Profiled in one run, each in a process of its own.
TOGETHER = (
    "fp",
    "fp_only",
    "debug_frame",
    "debug_frame_zstd",
    "static_pie",
    "no_pie",
    "unoptimized",
)
WORK_SECONDS = 0.6
"""CPU time of each."""


@pytest.mark.vm
@pytest.mark.parametrize("variant", ["default", "static"])
def test_functions_have_their_share(variant: str) -> None:
    with targets.running("split", variant=variant) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    for function, share in SPLIT.items():
        assert_share(done.count_calls("main", "serve", function), done.total, share)


@cache
def together() -> tuple[dict[str, list[Stack]], int]:
    """The stacks of each variant, and how many samples the run lost."""
    starts = [program("split", variant=variant) for variant in TOGETHER]
    stacks, stats = stacks_of(starts, WORK_SECONDS)
    return dict(zip(TOGETHER, stacks, strict=True)), stats["samples"]["lost"]


@pytest.mark.parametrize("variant", TOGETHER)
def test_functions_have_their_share_beside_others(variant: str) -> None:
    found, lost = together()
    stacks = found[variant]
    total = sum(stack.count for stack in stacks)
    right = {name: chain("main", "serve", name) for name in SPLIT}
    assert lost == 0
    assert_most(sum(one.count for one in stacks if one.is_complete), total, COMPLETE_SHARE)
    for name, share in SPLIT.items():
        count = sum(stack.count for stack in stacks if name in names(stack) and right[name](stack))
        assert_share(count, total, share)


def names(stack: Stack) -> set[str]:
    return {frame.function for frame in stack.frames}


@pytest.mark.vm
def test_stripped_program_is_split_by_where_functions_begin() -> None:
    with targets.running("split", variant="stripped") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    leaves: Counter[str] = Counter()
    callers = set()
    for stack, count in done.stacks.items():
        own = [frame for frame in stack if frame.startswith("[split]+0x")]
        if len(own) == 4:
            callers.add(tuple(own[:3]))  # _start, main, serve
            leaves[own[3]] += count
    assert len(callers) == 1
    shares = [count for _, count in leaves.most_common(3)]
    for count, share in zip(shares, SPLIT.values(), strict=True):
        assert_share(count, done.total, share)


@pytest.mark.parametrize("linked_by", ["build ID", "name"])
def test_unwind_information_in_a_separate_debug_file(linked_by: str, tmp_path: Path) -> None:
    program, debug = tmp_path / "split", tmp_path / "split.debug"
    shutil.copy(targets.build("split", "debug_frame"), program)
    subprocess.run(["objcopy", "--only-keep-debug", program, debug], check=True)
    link = f"--add-gnu-debuglink={debug}"
    forget = ["--remove-section=.note.gnu.build-id"] if linked_by == "name" else []
    subprocess.run(["objcopy", "--strip-all", link, *forget, program], check=True)
    with targets.started([program, 0]) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    for function, share in SPLIT.items():
        assert_share(done.count_calls("main", "serve", function), done.total, share)
