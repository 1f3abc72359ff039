from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import ebprof
from ebprof.model import Profile
from ebprof.output import speedscope
from tests.builders import example, profile, stack
from tests.unit.output.written import written


def document(one: Profile) -> Any:
    return json.loads(written(speedscope, one))


def test_golden(check_golden: Callable[[str, bytes], None]) -> None:
    text = written(speedscope, example()).decode()
    text = text.replace(f"ebprof {ebprof.__version__}", "ebprof VERSION")
    check_golden("example.speedscope.json", text.encode())


def test_stacks_are_written_root_first_with_inlined_calls() -> None:
    written_ = document(profile(stack("main;f;g_[i];h", 2)))
    names = [frame["name"] for frame in written_["shared"]["frames"]]
    (stack_,) = written_["profiles"][0]["samples"]
    assert [names[number] for number in stack_] == ["main", "f", "g", "h"]


def test_one_profile_a_process_biggest_first() -> None:
    profiles = document(
        profile(stack("f", 1, pid=5), stack("f", 4, pid=6, comm="x"), stack("g", 5, pid=6))
    )["profiles"]
    assert [one["name"] for one in profiles] == ["demo (6)", "demo (5)"]


def test_processes_without_pid_are_told_apart_by_comm() -> None:
    profiles = document(profile(stack("f", 2, pid=0), stack("f", pid=0, comm="x")))["profiles"]
    assert [one["name"] for one in profiles] == ["demo", "x"]


def test_weights_are_in_the_unit() -> None:
    (one,) = document(profile(stack("f", 3), stack("g", 4), period=10))["profiles"]
    assert (one["unit"], one["weights"], one["endValue"]) == ("nanoseconds", [30, 40], 70)


def test_weights_are_counts_when_the_unit_is_not_speedscopes() -> None:
    (one,) = document(profile(stack("f", 3), unit="cycles"))["profiles"]
    assert (one["unit"], one["weights"]) == ("none", [3])
    (one,) = document(profile(stack("f", 3), period=0))["profiles"]
    assert (one["unit"], one["weights"]) == ("none", [3])
