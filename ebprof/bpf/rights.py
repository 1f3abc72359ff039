"""Why the kernel refuses what ebprof asks of it, by what can be read of our own rights."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

STATUS = Path("/proc/self/status")
USER_NAMESPACE = Path("/proc/self/ns/user")
LOCKDOWN = Path("/sys/kernel/security/lockdown")
SYSCTL = Path("/proc/sys/kernel")
PARANOID = "perf_event_paranoid"
UNPRIVILEGED_BPF = "unprivileged_bpf_disabled"
# linux/capability.h; CAP_SYS_ADMIN is as good as CAP_PERFMON or CAP_BPF.
CAPABILITIES = {"CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}
NEEDED = ("CAP_BPF", "CAP_PERFMON")
"""What programs that trace cannot be loaded without."""
# include/linux/proc_ns.h, PROC_USER_INIT_INO: the first user namespace's inode never changes.
INITIAL_USER_NAMESPACE = "user:[4026531837]"
_EFFECTIVE = re.compile(r"^CapEff:\s*([0-9a-fA-F]{1,16})$", re.MULTILINE)
_SECCOMP_FILTER = re.compile(r"^Seccomp:\s*2$", re.MULTILINE)
_LOCKED = re.compile(r"\[(integrity|confidentiality)\]")
_ELSE = "a security module can forbid it; `ebprof doctor` shows what this machine allows"


def advice(sysctl: str) -> str:
    """The likely reasons that something which NEEDED capabilities allow was refused, with what to
    do.

    sysctl: the kernel's setting that binds whoever lacks them. Nobody who is root is told to become
    root.
    """
    return "; ".join(_reasons(sysctl)) or _ELSE


def lacking() -> tuple[str, ...]:
    """Which of NEEDED we are known to lack: not held, or of no use in a user namespace."""
    held = effective_capabilities()
    if _is_in_user_namespace():
        return NEEDED
    if held is None or "CAP_SYS_ADMIN" in held:
        return ()
    return tuple(one for one in NEEDED if one not in held)


def effective_capabilities() -> list[str] | None:
    """Those of CAPABILITIES that we have; None when that cannot be read."""
    match = _EFFECTIVE.search(_text(STATUS))
    if match is None:
        return None
    mask = int(match[1], 16)
    return [name for name, bit in CAPABILITIES.items() if mask >> bit & 1]


def _reasons(sysctl: str) -> Iterator[str]:
    missing = lacking()
    names = " and ".join(missing)
    if not missing:
        pass
    elif os.geteuid() != 0:
        yield f"user {os.geteuid()} lacks {names}{_setting(sysctl)}: run as root, or grant them"
    elif _is_in_user_namespace():
        yield (
            f"{names} do not count for the root of a user namespace, as in a rootless container: "
            "run ebprof outside"
        )
    else:
        options = " ".join(f"--cap-add {name.removeprefix('CAP_')}" for name in missing)
        yield (
            f"root lacks {names} here, as in a container{_setting(sysctl)}: start the container "
            f"with --privileged, or {options}"
        )
    if _SECCOMP_FILTER.search(_text(STATUS)):
        yield "a seccomp filter is in force, as in a container: --security-opt seccomp=unconfined"
    if locked := _LOCKED.search(_text(LOCKDOWN)):
        yield f"kernel lockdown is in its mode {locked[1]}"


def _setting(name: str) -> str:
    value = _text(SYSCTL / name).strip()
    return f" (kernel.{name} is {value})" if value else ""


def _is_in_user_namespace() -> bool:
    try:
        return str(USER_NAMESPACE.readlink()) != INITIAL_USER_NAMESPACE
    except OSError:
        return False  # a kernel without CONFIG_USER_NS has no other


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
