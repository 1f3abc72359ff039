"""Code without a file, named by a perf map."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import targets
from tests.live.profiled import assert_complete, profile


def test_jitted_code_has_names_and_callers() -> None:
    with targets.running("jit") as target:
        done = profile("-p", target.pid, "-U")
    assert_complete(done)
    chain = ("main", "call_jitted", "jitted_entry", "jitted_leaf")
    assert done.count(lambda stack: stack[-4:] == chain) >= 0.97 * done.total


CALLERS = ("main", "call_jitted", "jitted_entry")


@pytest.mark.parametrize("how", ["frameless", "pushes", "by_register", "old_address", "unknown"])
def test_a_jitted_leaf_has_its_caller(how: str) -> None:
    with targets.running("jit_leaf", how) as target:
        done = profile("-p", target.pid, "-U")
    assert_complete(done)
    chain = (*CALLERS, "jitted_leaf")
    assert done.count(lambda stack: stack[-4:] == chain) >= 0.99 * done.total


def test_entry_and_end_of_a_jitted_leaf() -> None:
    with targets.running("jit_leaf", "short") as target:
        done = profile("-p", target.pid, "-U")
    assert_complete(done)
    in_leaf = done.count(lambda stack: stack[-1] == "jitted_leaf")
    assert in_leaf >= 0.5 * done.total
    assert done.count(lambda stack: stack[-4:] == (*CALLERS, "jitted_leaf")) >= 0.99 * in_leaf


def test_a_jitted_leaf_that_anything_may_have_called_is_said_to_be_a_guess() -> None:
    with targets.running("jit_frames", "unnamed") as target:
        done = profile("-p", target.pid, "-U")
    assert done.stops["unsure_caller"] >= 0.99 * done.total


def test_trampolines_without_a_frame() -> None:
    with targets.running("jit_leaf", "trampoline") as target:
        done = profile("-p", target.pid, "-U")
    assert_complete(done)
    chain = (*CALLERS, "compiled")
    assert done.count(lambda stack: stack[-4:] == chain) >= 0.99 * done.total


def test_code_in_a_file_that_is_no_object_has_its_place(tmp_path: Path) -> None:
    with targets.running("jit", tmp_path / "app.dll") as target:
        done = profile("-p", target.pid, "-U")
    assert_complete(done)
    entry, leaf = r"\[app\.dll\]\+0x110\w", r"\[app\.dll\]\+0x12\w\w"
    chain = re.compile(f"main;call_jitted;{entry};{leaf}")
    assert (
        done.count(lambda stack: bool(chain.fullmatch(";".join(stack[-4:])))) >= 0.97 * done.total
    )


@pytest.mark.parametrize(
    ("how", "words", "size"),
    [
        ("direct", 9, 0),
        ("direct", 32, 4096),
        ("stub", 0, 0),
        ("stub", 3, 256),
        ("register", 0, 0),
        ("register", 9, 0),
        ("tail", 4, 64),
        ("half", 9, 0),
        ("middle", 4, 256),
    ],
)
def test_a_jitted_leaf_has_its_caller_however_it_is_called(how: str, words: int, size: int) -> None:
    with targets.running("jit_frames", how, words, size) as target:
        done = profile("-p", target.pid, "-U")
    assert_complete(done)
    assert done.count_calls(*CALLERS, "jitted_leaf") >= 0.99 * done.total


@pytest.mark.parametrize("words", [0, 9])
def test_a_jitted_caller_without_a_frame(words: int) -> None:
    with targets.running("jit_frames", "work", words, 8 * words) as target:
        done = profile("-p", target.pid, "-U")
    assert_complete(done)
    assert done.count_calls(*CALLERS, "jitted_leaf", "jitted_work") >= 0.98 * done.total


def test_code_that_takes_the_place_of_other_code() -> None:
    with targets.running("jit_frames", "swapped", 9) as target:
        done = profile("-p", target.pid, "-U")
    assert_complete(done)
    assert done.count_calls(*CALLERS, "jitted_leaf") >= 0.99 * done.total
