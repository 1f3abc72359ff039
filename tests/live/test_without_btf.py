"""CPU profiles and events without BTF: by bcc, not asked for, and the headers of the kernel."""

from __future__ import annotations

import pytest

from tests import bcc, targets
from tests.bcc import WITHOUT_BTF
from tests.live.profiled import (
    COMPLETE_SHARE,
    assert_complete,
    assert_leads_back,
    assert_most,
    count_events,
    profile,
    run,
)

DEPTH = 500
LEFT, OPENS = 1000, 500
"""What `calls 0 once` does, see calls.c."""

pytestmark = pytest.mark.vm


@pytest.fixture(autouse=True)
def _own_headers() -> None:
    bcc.skip_without_own_headers()


def test_system_calls_lead_back_to_main() -> None:
    with targets.running("syscalls", "read") as target:
        done = profile("-p", target.pid, module=WITHOUT_BTF)
    assert_complete(done)
    assert_leads_back(done, "main", "handle", "read_zeros")


def test_every_frame_is_there() -> None:
    with targets.running("recursion", DEPTH) as target:
        done = profile("-p", target.pid, module=WITHOUT_BTF)
    assert_complete(done)
    found = done.count(lambda stack: stack.count("descend") == DEPTH)
    assert_most(found, done.total, COMPLETE_SHARE)


@pytest.mark.parametrize(
    ("event", "function", "calls"),
    [("u:counted", "from_left", LEFT), ("syscalls:sys_enter_openat", "open_often", OPENS)],
)
def test_each_event_is_counted(event: str, function: str, calls: int) -> None:
    command = (targets.build("calls"), 0, "once")
    done = count_events(event, command=command, module=WITHOUT_BTF)
    assert done.count_of(function) == calls


def test_libbpf_says_what_it_lacks() -> None:
    done = run("profile", "--loader", "libbpf", "-d", 1, module=WITHOUT_BTF)
    assert done.returncode == 5
    assert done.stderr == "ebprof: libbpf finds no BTF of this kernel: use --loader bcc\n"
