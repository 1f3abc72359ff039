"""What `/proc` says about a process: its threads, names, age, cgroup and namespaces.

Every function raises NoTargetError when the process (or thread) is gone and NoPermissionError
when the kernel does not let us look, unless it says otherwise.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ebprof.errors import NoPermissionError, NoTargetError, UnsupportedError
from ebprof.procfs.text import lines, printable

_PF_KTHREAD = 0x00200000
# include/linux/proc_ns.h, PROC_PID_INIT_INO: the inode of the first PID namespace never changes.
_INITIAL_PID_NAMESPACE = "pid:[4026531836]"
_MAX_ARGUMENTS, _MAX_ENVIRONMENT = 4096, 1 << 17
"""Bytes that are read of what a process was started with."""
# Fields of /proc/PID/stat after the command's name, proc(5) numbers minus 3.
_STATE, _PARENT, _FLAGS, _USER_TIME, _SYSTEM_TIME, _START_TIME = 0, 1, 6, 11, 12, 19
_ENDED = (b"Z", b"X")


@contextmanager
def reading(pid: int) -> Iterator[None]:
    """Turn what goes wrong with files under /proc/PID into our errors."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            raise NoTargetError(f"no such process: {pid}") from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise NoPermissionError(
                f"cannot look at process {pid}: {error.strerror}", more_rights()
            ) from None
        raise NoTargetError(f"cannot look at process {pid}: {error.strerror}") from None


def more_rights() -> str:
    """What to do where the kernel refuses: root is refused for reasons that root cannot see."""
    if os.geteuid():
        return "run as root, or with CAP_SYS_PTRACE"
    return (
        "root lacks CAP_SYS_PTRACE here, as in a container, or a user namespace or a security "
        "module forbids it; `ebprof doctor` shows our rights"
    )


def exists(pid: int) -> bool:
    """True while there is a process (or thread) of this number; never raises."""
    with suppress(OSError):
        Path(f"/proc/{pid}/stat").stat()
        return True
    return False


def all_processes() -> list[int]:
    """Numbers of all processes that we can see, kernel threads included."""
    return sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def threads(pid: int) -> list[int]:
    """Thread numbers of a process, sorted."""
    with reading(pid):
        return sorted(int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir())


def living_thread(pid: int) -> int:
    """A thread of a process that has not ended: the first one unless that has.

    A process lives as long as a thread of it does, but without its first one much of /proc/PID is
    empty or a lie; /proc/TID of the thread returned here is not. Raises NoTargetError when all
    threads have ended.
    """
    if _stat_fields(pid)[_STATE] not in _ENDED:
        return pid
    for tid in threads(pid):
        if not has_ended(tid):
            return tid
    raise NoTargetError(f"process {pid} has ended")


def directory(pid: int) -> str:
    """`/proc/PID`, or where the first thread has ended `/proc/TID` of `living_thread`."""
    return f"/proc/{living_thread(pid)}"


def has_ended(tid: int) -> bool:
    """True when a thread has ended, be it still listed or not; others of its process may run."""
    try:
        return _stat_fields(tid)[_STATE] in _ENDED
    except NoTargetError:
        return True


def is_running(pid: int) -> bool:
    """True while any thread of the process runs, be it the first or another."""
    try:
        return living_thread(pid) > 0
    except NoTargetError:
        return False


def children(pid: int) -> list[int]:
    """Numbers of the processes that any thread of this one started and that still run."""
    threads(pid)
    return [child for child in all_processes() if _parent_or_none(child) == pid]


def own_family() -> list[int]:
    """Ourselves, and the processes that our threads started; without those where the kernel
    (CONFIG_PROC_CHILDREN) does not list them. Never raises.
    """
    found = [os.getpid()]
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError, ValueError):
            found += map(int, path.read_text().split())
    return found


def comm(pid: int) -> str:
    """The command's name, at most 15 bytes, printable."""
    return printable(_read(pid, f"/proc/{pid}/comm").removesuffix(b"\n"))


def executable(pid: int) -> str:
    """The path of the program that a process executes, as the process sees it."""
    with reading(pid):
        return str(Path(f"{directory(pid)}/exe").readlink()).removesuffix(" (deleted)")


def command_line(pid: int) -> bytes:
    """The start of the arguments of a process, each with a NUL at its end."""
    return _read_start(pid, "cmdline", _MAX_ARGUMENTS)


def command_text(pid: int) -> str:
    """The same as people write it: with blanks between the arguments, printable."""
    return printable(command_line(pid).rstrip(b"\0").replace(b"\0", b" "))


def variables(pid: int, names: Collection[bytes]) -> dict[bytes, bytes]:
    """The values that some variables of the environment have; nothing else of it is kept.

    Only the start of a long environment is read.
    """
    pairs = (
        one.partition(b"=") for one in _read_start(pid, "environ", _MAX_ENVIRONMENT).split(b"\0")
    )
    return {name: value for name, _, value in pairs if name in names}


def start_time(pid: int) -> int:
    """When the process started, in clock ticks since boot; with the number, its identity."""
    return int(_stat_fields(pid)[_START_TIME])


def cpu_ticks(pid: int) -> int:
    """CPU time of all its threads so far, in clock ticks."""
    fields = _stat_fields(pid)
    return int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])


def is_kernel_thread(pid: int) -> bool:
    """True for threads of the kernel, which have no user memory."""
    return bool(int(_stat_fields(pid)[_FLAGS]) & _PF_KTHREAD)


def cgroups(pid: int) -> bytes:
    """/proc/PID/cgroup: a line for each hierarchy, see cgroups(7)."""
    return _read(pid, f"{directory(pid)}/cgroup")


def namespace_pid(pid: int) -> int:
    """The number the process has in its own, innermost PID namespace."""
    numbers = _status_numbers(pid, b"NSpid:")
    return numbers[-1] if numbers else pid


def user_ids(pid: int) -> set[int]:
    """The real, effective, saved and file system user of a process."""
    return set(_status_numbers(pid, b"Uid:"))


def leader(tid: int) -> int:
    """The process that a thread belongs to: itself for the first one."""
    (number,) = _status_numbers(tid, b"Tgid:")
    return number


def own_pid_namespace_is_initial() -> bool:
    """True when we are in the host's PID namespace, so that BPF's numbers are ours."""
    return str(Path("/proc/self/ns/pid").readlink()) == _INITIAL_PID_NAMESPACE


def check_proc() -> None:
    """Raises UnsupportedError where `/proc` numbers processes otherwise than we see them."""
    try:
        shown = str(Path("/proc/self").readlink())
    except OSError:
        shown = ""
    if shown != str(os.getpid()):
        raise UnsupportedError(
            "/proc shows the processes of another PID namespace than ebprof's own",
            "mount it anew (`unshare --mount-proc`), or run ebprof by `nsenter -a -t PID`",
        )


def own_pid_namespace() -> tuple[int, int] | None:
    """Device and inode of our PID namespace; None when it is the host's."""
    if own_pid_namespace_is_initial():
        return None
    info = Path("/proc/self/ns/pid").stat()
    return info.st_dev, info.st_ino


def _read(pid: int, path: str) -> bytes:
    with reading(pid):
        return Path(path).read_bytes()


def _read_start(pid: int, name: str, size: int) -> bytes:
    with reading(pid), Path(f"{directory(pid)}/{name}").open("rb", buffering=0) as file:
        return file.read(size) or b""


def _status_numbers(pid: int, field: bytes) -> list[int]:
    """What follows a name in /proc/PID/status; empty where this kernel does not have it."""
    for line in lines(_read(pid, f"/proc/{pid}/status")):
        if line.startswith(field):
            return [int(number) for number in line.removeprefix(field).split()]
    return []


def _stat_fields(pid: int) -> list[bytes]:
    """Fields from `state` on: a name may hold spaces and parentheses, so cut at the last one."""
    return _read(pid, f"/proc/{pid}/stat").rpartition(b")")[2].split()


def _parent_or_none(pid: int) -> int | None:
    try:
        return int(_stat_fields(pid)[_PARENT])
    except NoTargetError:
        return None
