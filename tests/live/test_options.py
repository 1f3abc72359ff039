"""Targets that are not there, words that do not fit, and where output goes."""

from __future__ import annotations

import json

import pytest

from ebprof.errors import EXIT_NO_TARGET, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, EXIT_USAGE
from tests import targets
from tests.live.profiled import SECONDS, SOME, fold, profile, run

NO_PID = 2**22  # the kernel's PID_MAX_LIMIT: never in use


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["-p", NO_PID], EXIT_NO_TARGET),
        (["-t", NO_PID], EXIT_NO_TARGET),
        (["-p", "abc"], EXIT_USAGE),
        (["-p", "1", "-F", "0"], EXIT_USAGE),
        (["-p", "1", "-d", "soon"], EXIT_USAGE),
        (["-p", "1", "-U", "-K"], EXIT_USAGE),
        (["--", "/nonexistent"], EXIT_NOT_FOUND),
        (["--", "/etc/passwd"], EXIT_NOT_EXECUTABLE),
    ],
)
def test_errors_are_one_message_and_a_code(words: list[object], code: int) -> None:
    done = run("profile", *words)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_a_pipe_gets_folded_stacks_and_nothing_else() -> None:
    with targets.running("split") as target:
        done = run("profile", "-p", target.pid, "-d", 1, "-F", 997)
    assert done.returncode == 0, done.stderr
    assert fold(done.stdout).total() > SOME


def test_statistics_add_up() -> None:
    with targets.running("demo") as target:
        done = profile("-p", target.pid)
    samples, stacks = done.stats["samples"], done.stats["stacks"]
    assert samples["total"] == sum(stacks["stop"].values()) == done.total
    assert samples["lost"] == 0
    assert SECONDS <= done.stats["duration_seconds"] < 2 * SECONDS
    assert done.stats["frequency"] == 997
    assert done.stats["bpf"]["run_count"] >= samples["total"]
    assert 0 < done.stats["bpf"]["run_seconds"] < 0.25 * SECONDS
    json.dumps(done.stats, allow_nan=False)


def test_the_commands_exit_code_is_passed_on() -> None:
    done = run("profile", "-q", "--", "sh", "-c", "exit 7")
    assert done.returncode == 7
