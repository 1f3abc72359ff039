"""What this kernel lets BPF do, found out by doing it: programs loaded, attached, taken back."""

from __future__ import annotations

import os
from contextlib import closing
from importlib.resources import as_file, files

from ebprof._native import ffi, lib
from ebprof.bpf import devices, events
from ebprof.bpf.events import Rate
from ebprof.bpf.object import BpfObject
from ebprof.errors import UnsupportedError

PROGRAMS = (
    "on_perf_event",
    "on_growing_map",
    "on_exec",
    "on_sock_send_length",
    "on_fentry",
    "on_kprobe",
    "on_uprobe",
)
_BTF_TARGETS = {
    "on_exec": ("tracepoint sched_process_exec", b"sched_process_exec", lib.BPF_TRACE_RAW_TP),
    "on_sock_send_length": (
        "tracepoint sock_send_length",
        b"sock_send_length",
        lib.BPF_TRACE_RAW_TP,
    ),
    "on_fentry": ("function tcp_sendmsg", b"tcp_sendmsg", lib.BPF_TRACE_FENTRY),
}
HELPERS = {"bpf_loop": lib.BPF_FUNC_loop, "bpf_task_pt_regs": lib.BPF_FUNC_task_pt_regs}


def check_load(program: str) -> None:
    """Load one of PROGRAMS. Raises UnsupportedError, or NoPermissionError without the right to."""
    _ProbeObject(program).close()


def check_attach(program: str) -> None:
    """Load one of PROGRAMS and attach it for a moment; raises what `check_load` does."""
    with closing(_ProbeObject(program)) as loaded:
        if program == "on_uprobe":
            loaded.attach_uprobe(program)
        elif program == "on_perf_event":
            scope = events.Scope(pid=os.getpid())
            loaded.attach_event(program, events.open_event(events.CPU_CLOCK, Rate(1), scope))
        else:
            loaded.attach(program)


def check_kprobe() -> None:
    """As `check_attach`; where kernels have no kprobes libbpf's own error does not say so."""
    try:
        devices.probe_type("kprobe")
    except UnsupportedError:
        check_load("on_kprobe")
        raise
    check_attach("on_kprobe")


def check_helper(name: str) -> None:
    """Raises UnsupportedError if perf_event programs may not call one of HELPERS.

    Says nothing where no perf_event program loads at all: then libbpf takes it for granted.
    """
    lib.log_capture()
    kind = lib.BPF_PROG_TYPE_PERF_EVENT
    answer = lib.libbpf_probe_bpf_helper(kind, HELPERS[name], ffi.NULL)
    if answer < 0:
        raise UnsupportedError(f"cannot find out about {name}: {os.strerror(-answer)}")
    if answer == 0:
        raise UnsupportedError(f"perf_event programs of this kernel cannot call {name}")


def check_growing_map() -> None:
    """Raises UnsupportedError if perf_event programs may not use maps that grow."""
    try:
        check_load("on_growing_map")
    except UnsupportedError:
        raise UnsupportedError(
            "perf_event programs of this kernel use preallocated maps only"
        ) from None


def check_ring_buffer() -> None:
    """Raises UnsupportedError if ring buffer maps cannot be made."""
    lib.log_capture()
    code = lib.libbpf_probe_bpf_map_type(lib.BPF_MAP_TYPE_RINGBUF, ffi.NULL)
    if code != 1:
        reason = os.strerror(-code) if code < 0 else "this kernel does not know it"
        raise UnsupportedError(f"cannot make a ring buffer map: {reason}")


def libbpf_version() -> str:
    """Version of the libbpf that is loaded, such as `1.1.2`."""
    return str(ffi.string(lib.libbpf_version_string()).decode()).removeprefix("v")


class _ProbeObject(BpfObject):
    """probe.bpf.c with one program of it loaded."""

    def __init__(self, program: str) -> None:
        super().__init__("probe")
        try:
            for other in PROGRAMS:
                if other != program:
                    self.skip_program(other)
            _check_btf_target(program)
            self.load()
        except BaseException:
            self.close()
            raise

    def attach_uprobe(self, program: str) -> None:
        """Attach to a file that nothing executes: the object itself."""
        with as_file(files("ebprof.bpf") / "probe.bpf.o") as path:
            self.attach_function(program, str(path), 0)


def _check_btf_target(program: str) -> None:
    """libbpf's own error for a target that is not there is ESRCH, "No such process"."""
    if program not in _BTF_TARGETS:
        return
    what, name, kind = _BTF_TARGETS[program]
    if lib.libbpf_find_vmlinux_btf_id(name, kind) < 0:
        raise UnsupportedError(f"this kernel's BTF knows no {what}")
