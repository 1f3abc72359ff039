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
# include/linux/proc_ns.h, PROC_USER_INIT_INO: the first user namespace's inode never changes.
INITIAL_USER_NAMESPACE = "user:[4026531837]"
_EFFECTIVE = re.compile(r"^CapEff:\s*([0-9a-fA-F]{1,16})$", re.MULTILINE)
_SECCOMP_FILTER = re.compile(r"^Seccomp:\s*2$", re.MULTILINE)
_LOCKED = re.compile(r"\[(integrity|confidentiality)\]")
_ELSE = "a security module can forbid it; `ebprof doctor` shows what this machine allows"


def advice(capability: str, sysctl: str) -> str:
    """The likely reasons that something which needs a capability was refused, with what to do.

    sysctl: the kernel's setting that binds whoever lacks it. Nobody who is root is told to become
    root.
    """
    return "; ".join(_reasons(capability, sysctl)) or _ELSE


def is_lacking(capability: str) -> bool:
    """Whether we are known to lack it: not held, or of no use in a user namespace."""
    held = effective_capabilities()
    has = held is None or capability in held or "CAP_SYS_ADMIN" in held
    return not has or _is_in_user_namespace()


def effective_capabilities() -> list[str] | None:
    """Those of CAPABILITIES that we have; None when that cannot be read."""
    match = _EFFECTIVE.search(_text(STATUS))
    if match is None:
        return None
    mask = int(match[1], 16)
    return [name for name, bit in CAPABILITIES.items() if mask >> bit & 1]


def _reasons(capability: str, sysctl: str) -> Iterator[str]:
    if not is_lacking(capability):
        pass
    elif os.geteuid() != 0:
        yield f"run as root, or grant CAP_BPF and CAP_PERFMON{_setting(sysctl)}"
    elif _is_in_user_namespace():
        yield "this is the root of a user namespace, as in a rootless container: run ebprof outside"
    else:
        name = capability.removeprefix("CAP_")
        yield (
            f"root lacks {capability} here, as in a container: start it with --privileged, "
            f"or --cap-add {name}{_setting(sysctl)}"
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
