"""The machine, our rights on it, and the files that ebprof reads and writes."""

from __future__ import annotations

import os
import resource
import shutil
from importlib.util import find_spec
from pathlib import Path

from ebprof.bpf import loaders, probe
from ebprof.bpf.rights import CAPABILITIES, INITIAL_USER_NAMESPACE, effective_capabilities
from ebprof.errors import UnsupportedError
from ebprof.features._feature import Finding, Probe, limited, missing, ok, read_text, unknown
from ebprof.procfs import kernelfs, process
from ebprof.procfs.text import printable
from ebprof.symbolize import debuginfod, default_cache

MACHINES = ("x86_64",)
KPTR_RESTRICT = Path("/proc/sys/kernel/kptr_restrict")
KALLSYMS = Path("/proc/kallsyms")
KALLSYMS_HEAD = 1 << 16
ADDRESS_DIGITS = 16
ENOUGH_FILES = 4096
# What each mode forbids: enum lockdown_reason in include/linux/security.h.
LOCKDOWN_MODES = {
    b"none": ok("none"),
    b"integrity": ok("integrity: BPF may not write user memory, which ebprof never does"),
    b"confidentiality": limited(
        "confidentiality: BPF may not read arbitrary kernel memory, no kprobes, no tracefs; "
        "CPU profiles need none of these"
    ),
}


def _kernel() -> Finding:
    system = os.uname()
    detail = f"{system.sysname} {system.release} on {system.machine}"
    if system.sysname == "Linux" and system.machine in MACHINES:
        return ok(detail)
    return missing(f"{detail}: stacks can be unwound on {', '.join(MACHINES)} only")


def _privileges() -> Finding:
    """Effective capabilities (capabilities(7)), which count in the first user namespace only."""
    held = effective_capabilities()
    if held is None:
        return unknown("/proc/self/status does not say which capabilities we have")
    who = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    has = f"{who} with {', '.join(held) or 'none of ' + ', '.join(CAPABILITIES)}"
    if not ("CAP_SYS_ADMIN" in held or {"CAP_BPF", "CAP_PERFMON"} <= set(held)):
        return missing(has)
    if _user_namespace() != INITIAL_USER_NAMESPACE:
        return missing(f"{has}, but in a user namespace, where they do not count")
    if set(held) != set(CAPABILITIES):
        return limited(f"{has}, without {', '.join(sorted(set(CAPABILITIES) - set(held)))}")
    return ok(has)


def _user_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/user").readlink())
    except FileNotFoundError:
        return INITIAL_USER_NAMESPACE  # a kernel built without CONFIG_USER_NS has no other


def _pid_namespace() -> Finding:
    if process.own_pid_namespace_is_initial():
        return ok("the host's")
    return limited("one of its own: processes outside of it are neither seen nor sampled")


def _lockdown() -> Finding:
    """The mode in brackets; a kernel that is built without lockdown has no such file."""
    try:
        with kernelfs.opened(kernelfs.SECURITYFS) as root:
            modes, modules = root.read("lockdown"), root.read("lsm")
    except UnsupportedError as error:
        return unknown(error.message)
    if modes is None and modules and b"lockdown" not in modules.strip().split(b","):
        return ok("none: this kernel is built without lockdown")
    _, _, rest = (modes or b"").partition(b"[")
    found = LOCKDOWN_MODES.get(rest.partition(b"]")[0])
    return found or unknown("securityfs names no mode that ebprof knows")


def _btf() -> Finding:
    if reason := loaders.why_no_btf():
        return missing(reason)
    return ok(f"{loaders.KERNEL_BTF}, {loaders.KERNEL_BTF.stat().st_size >> 10} KiB")


def _libbpf() -> Finding:
    return ok(f"version {probe.libbpf_version()}")


def _tracefs() -> Finding:
    with kernelfs.opened(kernelfs.TRACEFS) as root:
        found = root.read("available_events")
    if not found:
        return missing("it lists no tracepoints: kernel lockdown can be the reason")
    return ok(f"mounted at {printable(root.place)}" if root.place else "read without a mount")


def _kernel_symbols() -> Finding:
    restrict = read_text(KPTR_RESTRICT) or "unknown"
    try:
        with KALLSYMS.open("rb") as file:
            lines = file.read(KALLSYMS_HEAD).splitlines()
    except OSError as error:
        return missing(f"cannot read {KALLSYMS}: {error.strerror}")
    if not any(line[:ADDRESS_DIGITS].strip(b"0") for line in lines if _is_symbol(line)):
        return missing(f"no address in {KALLSYMS}, kernel.kptr_restrict={restrict}")
    return ok(f"{KALLSYMS}, kernel.kptr_restrict={restrict}")


def _is_symbol(line: bytes) -> bool:
    """`ffffffff81000000 T name`, and not the last line, which was cut."""
    return line[ADDRESS_DIGITS : ADDRESS_DIGITS + 1] == b" "


def _open_files() -> Finding:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    detail = f"up to {'any number' if limit == resource.RLIM_INFINITY else limit}"
    enough = limit == resource.RLIM_INFINITY or limit >= ENOUGH_FILES
    return ok(detail) if enough else limited(detail)


def _cache() -> Finding:
    path = default_cache()
    if path is None:
        return missing(f"user {os.geteuid()} has no home directory")
    if not path.is_dir():
        parent = next(one for one in path.parents if one.exists())
        if not os.access(parent, os.W_OK | os.X_OK):
            return missing(f"{path} cannot be made: {parent} is not writable")
        return ok(f"{path}, will be made")
    if not os.access(path, os.W_OK | os.X_OK):
        return missing(f"{path} is not writable")
    sizes = [entry.stat(follow_symlinks=False).st_size for entry in os.scandir(path)]
    return ok(f"{path}, {len(sizes)} files, {sum(sizes) >> 20} MiB")


def _clang() -> Finding:
    if wanted := os.environ.get("CLANG"):
        found = shutil.which(wanted.split()[0])
        return ok(f"$CLANG: {wanted}") if found else missing(f"$CLANG is {wanted}: not found")
    if clang := shutil.which("clang"):
        return ok(clang)
    if find_spec("ziglang"):
        return ok("of the Python package ziglang")
    return missing("no $CLANG, no clang in $PATH, no Python package ziglang")


def _debuginfod() -> Finding:
    servers = debuginfod.servers([debuginfod.ENVIRONMENT])
    if not servers:
        return missing("$DEBUGINFOD_URLS is not set, for --debuginfod env")
    ignored = debuginfod.not_urls(servers)
    if ignored:
        return limited(f"$DEBUGINFOD_URLS: {ignored[0]} is no http or https address")
    return ok(f"{printable(' '.join(servers))}, asked with --debuginfod env")


PROBES = (
    Probe(
        "kernel",
        _kernel,
        lost="CPU profiles",
        remedy=f"a Linux machine of type {', '.join(MACHINES)}",
        required=True,
    ),
    Probe(
        "privileges",
        _privileges,
        lost="CPU profiles; without CAP_SYS_PTRACE user stacks of other users' processes",
        remedy="those of the host's root: by sudo, or --privileged without a user namespace",
        required=True,
    ),
    Probe(
        "pid_namespace",
        _pid_namespace,
        lost="processes of the host; children are found a moment later than there",
        remedy="run on the host, or share its PID namespace (docker run --pid=host)",
    ),
    Probe(
        "lockdown",
        _lockdown,
        lost="hooks on kernel functions (fentry, kprobe); CPU profiles do without",
        remedy="boot with lockdown=integrity or none, if you need them",
    ),
    Probe(
        "btf",
        _btf,
        lost="libbpf as loader: programs are fitted to the kernel by it; see the feature loader",
        remedy="a kernel with CONFIG_DEBUG_INFO_BTF=y",
    ),
    Probe(
        "libbpf",
        _libbpf,
        lost="CPU profiles: BPF programs are loaded by it",
        remedy="reinstall ebprof, or install libbpf 1.1 or newer",
        required=True,
    ),
)
FILE_PROBES = (
    Probe(
        "kernel_symbols",
        _kernel_symbols,
        lost="names of kernel functions",
        remedy="CAP_SYSLOG, or sysctl kernel.kptr_restrict=0 kernel.perf_event_paranoid=1",
    ),
    Probe(
        "tracefs",
        _tracefs,
        lost="-e with tracepoints, such as sched:sched_switch; CPU profiles do not use them",
        remedy="root's capabilities, and a kernel with CONFIG_TRACING=y that is not locked down",
    ),
    Probe(
        "cache",
        _cache,
        lost="speed: debug information is read again in every run",
        remedy="set $XDG_CACHE_HOME to a directory of yours",
    ),
    Probe(
        "open_files",
        _open_files,
        lost="large targets: one file is open for each thread, CPU and mapped object",
        remedy=f"ulimit -Hn {ENOUGH_FILES} or more",
    ),
    Probe(
        "debuginfod",
        _debuginfod,
        lost="debug information from servers",
        remedy="--debuginfod URL, for Debian https://debuginfod.debian.net; or set "
        "$DEBUGINFOD_URLS, and give --debuginfod env",
    ),
    Probe(
        "clang",
        _clang,
        lost="builds from source; an installed ebprof does not need it",
        remedy="install clang, or pip install ziglang",
    ),
)
