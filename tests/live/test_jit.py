"""Code without a file, named by a perf map."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests import targets
from tests.live.profiled import Profiled, Stack, assert_complete, assert_most, profile_each

CALLERS = ("main", "call_jitted", "jitted_entry")
LEAVES = ("frameless", "pushes", "by_register", "old_address", "unknown")
# How a leaf is called, words on its stack, and bytes of its frame.
CALLS = (
    ("direct", 9, 0),
    ("direct", 32, 4096),
    ("stub", 0, 0),
    ("stub", 3, 256),
    ("register", 0, 0),
    ("register", 9, 0),
    ("tail", 4, 64),
    ("half", 9, 0),
    ("middle", 4, 256),
)
WORK_WORDS = (0, 9)

Profiles = Callable[..., Profiled]


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Profiles:
    """What came of each program, by its name and arguments; all are profiled in one run."""
    file = tmp_path_factory.mktemp("jit") / "app.dll"
    programs: list[tuple[object, ...]] = [
        ("jit",),
        *(("jit_leaf", how) for how in (*LEAVES, "short", "trampoline")),
        *(("jit_frames", *call) for call in CALLS),
        *(("jit_frames", "work", words, 8 * words) for words in WORK_WORDS),
        ("jit_frames", "unnamed"),
        ("jit_frames", "swapped", 9),
    ]
    with ExitStack() as stack:
        started = [(str(name), rest) for name, *rest in [*programs, ("jit", file)]]
        running = [stack.enter_context(targets.running(name, *rest)) for name, rest in started]
        found = profile_each([one.pid for one in running], "-U")
    done = dict(zip([*programs, ("jit", "in a file")], found, strict=True))
    return lambda *program: done[program]


def test_jitted_code_has_names_and_callers(profiles: Profiles) -> None:
    done = profiles("jit")
    assert_complete(done)
    assert_most(done.count(ends_with(*CALLERS, "jitted_leaf")), done.total, 0.97)


def ends_with(*chain: str) -> Callable[[Stack], bool]:
    return lambda stack: stack[-len(chain) :] == chain


@pytest.mark.parametrize("how", LEAVES)
def test_a_jitted_leaf_has_its_caller(how: str, profiles: Profiles) -> None:
    done = profiles("jit_leaf", how)
    assert_complete(done)
    assert_most(done.count(ends_with(*CALLERS, "jitted_leaf")), done.total, 0.99)


def test_entry_and_end_of_a_jitted_leaf(profiles: Profiles) -> None:
    done = profiles("jit_leaf", "short")
    assert_complete(done)
    in_leaf = done.count(ends_with("jitted_leaf"))
    assert_most(in_leaf, done.total, 0.5)
    assert_most(done.count(ends_with(*CALLERS, "jitted_leaf")), in_leaf, 0.99)


def test_a_jitted_leaf_that_anything_may_have_called_is_said_to_be_a_guess(
    profiles: Profiles,
) -> None:
    done = profiles("jit_frames", "unnamed")
    assert_most(done.stops["unsure_caller"], done.total, 0.99)


def test_trampolines_without_a_frame(profiles: Profiles) -> None:
    done = profiles("jit_leaf", "trampoline")
    assert_complete(done)
    assert_most(done.count(ends_with(*CALLERS, "compiled")), done.total, 0.99)


def test_code_in_a_file_that_is_no_object_has_its_place(profiles: Profiles) -> None:
    done = profiles("jit", "in a file")
    assert_complete(done)
    entry, leaf = r"\[app\.dll\]\+0x110\w", r"\[app\.dll\]\+0x12\w\w"
    chain = re.compile(f"main;call_jitted;{entry};{leaf}")
    placed = done.count(lambda stack: bool(chain.fullmatch(";".join(stack[-4:]))))
    assert_most(placed, done.total, 0.97)


@pytest.mark.parametrize(("how", "words", "size"), CALLS)
def test_a_jitted_leaf_has_its_caller_however_it_is_called(
    how: str, words: int, size: int, profiles: Profiles
) -> None:
    done = profiles("jit_frames", how, words, size)
    assert_complete(done)
    assert_most(done.count_calls(*CALLERS, "jitted_leaf"), done.total, 0.99)


@pytest.mark.parametrize("words", WORK_WORDS)
def test_a_jitted_caller_without_a_frame(words: int, profiles: Profiles) -> None:
    done = profiles("jit_frames", "work", words, 8 * words)
    assert_complete(done)
    assert_most(done.count_calls(*CALLERS, "jitted_leaf", "jitted_work"), done.total, 0.98)


def test_code_that_takes_the_place_of_other_code(profiles: Profiles) -> None:
    done = profiles("jit_frames", "swapped", 9)
    assert_complete(done)
    assert_most(done.count_calls(*CALLERS, "jitted_leaf"), done.total, 0.99)
