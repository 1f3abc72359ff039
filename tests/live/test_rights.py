"""ebprof without the capabilities that it needs: one line that names them, and exit code 4."""

from __future__ import annotations

import shutil
import subprocess
import sys
from subprocess import CompletedProcess

import pytest

from ebprof.errors import EXIT_NO_PERMISSION
from tests.live.waiting import TIME_LIMIT

COMMANDS = (
    "profile -d 1",
    "profile -p 1 -d 1",
    "profile -e page-faults -- true",
    "profile -e sched:sched_switch -d 1",
    "flame -d 1 -o /dev/null",
    "top -d 1",
    "traffic --json 1 1",
)
# One for each thing that is tried first: a perf event, a program, tracefs.
DIFFERENT = ("profile -d 1", "traffic --json 1 1", "profile -e sched:sched_switch -d 1")
BOTH = "CAP_BPF and CAP_PERFMON"
HELD_BACK = {
    "CAP_BPF": "cap_bpf,cap_sys_admin",
    "CAP_PERFMON": "cap_perfmon,cap_sys_admin",
    BOTH: "cap_bpf,cap_perfmon,cap_sys_admin",
}
NO_CAPSH = pytest.mark.skipif(shutil.which("capsh") is None, reason="no capsh here")


def run(*words: str) -> CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=TIME_LIMIT)


def assert_refused(done: CompletedProcess[str]) -> None:
    assert (done.returncode, done.stdout) == (EXIT_NO_PERMISSION, ""), done.stderr
    assert done.stderr.startswith("ebprof: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert "libbpf" not in done.stderr


@NO_CAPSH
@pytest.mark.parametrize(
    ("words", "missing"),
    [
        *((words, BOTH) for words in COMMANDS),
        *((words, missing) for words in DIFFERENT for missing in HELD_BACK if missing != BOTH),
    ],
)
def test_root_is_told_which_it_lacks(words: str, missing: str) -> None:
    command = f"{sys.executable} -m ebprof {words}"
    done = run("capsh", f"--drop={HELD_BACK[missing]}", "--", "-c", command)
    assert_refused(done)
    assert f"root lacks {missing} here" in done.stderr


@pytest.mark.parametrize("words", DIFFERENT)
def test_root_of_a_user_namespace_is_told_to_leave_it(words: str) -> None:
    if run("unshare", "-Ur", "true").returncode:
        pytest.skip("no user namespaces here")
    done = run("unshare", "-Ur", sys.executable, "-m", "ebprof", *words.split())
    assert_refused(done)
    assert "root of a user namespace" in done.stderr
