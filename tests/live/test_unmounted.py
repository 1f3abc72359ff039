"""tracefs and securityfs in mount namespaces where they are not mounted, or something else is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ebprof.events.tracepoint import number_of
from tests import targets
from tests.live.profiled import fold
from tests.live.waiting import TIME_LIMIT

SWITCH = "sched:sched_switch"
TRACING = "/sys/kernel/tracing"
KINDS = "tracefs,debugfs,securityfs,bpf"
UNMOUNT = f"""
set -e
findmnt -nlo TARGET -t {KINDS} | tac | xargs -r -n 1 umount -l
! grep -E ' ({KINDS.replace(",", "|")}) ' /proc/self/mounts >&2 || exit 1
"""
READ_LOCKDOWN = 'print(open("/sys/kernel/security/lockdown").read())'
NUMBER = f'from ebprof.events.tracepoint import number_of; print(number_of("{SWITCH}"))'
PRIVATELY = f"""
from pathlib import Path
from ebprof.procfs import kernelfs

def refuse(system):
    raise OSError(38, "Function not implemented")

kernelfs._mount_nowhere = refuse
before = Path("/proc/self/mountinfo").read_bytes()
{NUMBER}
assert Path("/proc/self/mountinfo").read_bytes() == before
"""
PROBE = """
from ebprof import features

for name in "tracefs", "lockdown":
    print(features.probe(name).detail)
"""

pytestmark = pytest.mark.vm


def apart(script: str, *command: object, propagation: str = "private") -> str:
    """What a command prints in a mount namespace that a script was run in."""
    enter = [
        "unshare",
        "-m",
        "--propagation",
        propagation,
        "sh",
        "-c",
        f'{script}\nexec "$@"',
        "sh",
    ]
    words = [*enter, sys.executable, *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=TIME_LIMIT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_tracepoint_is_sampled_without_a_mount() -> None:
    event = ["-e", "raw_syscalls:sys_enter", "-d", 1, "-f", "folded"]
    with targets.running("syscalls", "getppid") as target:
        words = ["-m", "ebprof", "profile", *event, "-p", target.pid]
        stacks = fold(apart(UNMOUNT, *words))
    asked = sum(count for stack, count in stacks.items() if "ask_parent" in stack)
    assert asked >= 0.99 * stacks.total() > 0


def test_tracepoints_are_listed_without_a_mount() -> None:
    listed = apart(UNMOUNT, "-m", "ebprof", "profile", "-e", "help")
    assert f"\n{SWITCH} " in listed
    assert "group:name" not in listed


def test_both_features_are_read_without_a_mount() -> None:
    tracefs, lockdown = apart(UNMOUNT, "-c", PROBE).splitlines()
    assert tracefs == "read without a mount"
    text = apart(f"{UNMOUNT}\nmount -t securityfs none /sys/kernel/security", "-c", READ_LOCKDOWN)
    mode = text.partition("[")[2].partition("]")[0]
    assert lockdown.partition(":")[0] == mode


def test_a_private_mount_is_seen_by_nobody_though_mounts_are_shared() -> None:
    assert int(apart(UNMOUNT, "-c", PRIVATELY, propagation="shared")) == number_of(SWITCH)


@pytest.mark.parametrize(
    "disguise",
    [
        f"mount -t tracefs none {TRACING}; mount -t tmpfs none {TRACING}",
        f"mount -t tmpfs tracefs {TRACING}",
        f"mount -t tracefs none /mnt; mount --bind /mnt/events/sched {TRACING}; umount /mnt",
    ],
)
def test_what_lies_in_the_place_of_tracefs_is_not_believed(disguise: str) -> None:
    """A tracefs that is covered, another file system, and a part of tracefs."""
    directory = f"{TRACING}/events/sched/sched_switch"
    forge = f"mkdir -p {directory} && echo 1 >{directory}/id || true"
    script = f"{UNMOUNT}{disguise}\n{forge}"
    assert int(apart(script, "-c", NUMBER)) == number_of(SWITCH)


def test_what_is_mounted_is_used() -> None:
    script = f"{UNMOUNT}mount -t tracefs none {TRACING}"
    opened = (
        "from ebprof.procfs import kernelfs\n"
        "with kernelfs.opened(kernelfs.TRACEFS) as root: print(root.place)"
    )
    assert Path(apart(script, "-c", opened).strip()) == Path(TRACING)
