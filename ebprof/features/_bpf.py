"""BPF: what the kernel loads and attaches, and what it says when it refuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from ebprof.bpf import probe
from ebprof.bpf.cpu import CpuOptions, CpuSession
from ebprof.errors import EbprofError
from ebprof.features._feature import Finding, Probe, missing, ok, unknown
from ebprof.procfs import process

KPROBE_DEVICE = Path("/sys/bus/event_source/devices/kprobe")


def _perf_event_program() -> Finding:
    probe.check_attach("on_perf_event")
    return ok("loads, and attaches to an event")


@cache
def _why_nothing_loads() -> str:
    """Why not even the smallest program can be loaded; empty where it can."""
    try:
        probe.check_load("on_perf_event")
    except EbprofError as error:
        return missing(error.message).detail
    return ""


def _loading(check: Callable[[], None], detail: str) -> Callable[[], Finding]:
    """A probe that needs the right to load programs, and says so where that is missing."""

    def look() -> Finding:
        if reason := _why_nothing_loads():
            return unknown(reason)
        check()
        return ok(detail)

    return look


def _cpu_program() -> None:
    CpuSession(CpuOptions(namespace=process.own_pid_namespace())).close()


def _kprobe() -> None:
    if not KPROBE_DEVICE.exists():
        probe.check_load("on_kprobe")
        raise EbprofError(f"kernel built without CONFIG_KPROBE_EVENTS: no {KPROBE_DEVICE}")
    probe.check_attach("on_kprobe")


PROBES = (
    Probe(
        "perf_event_program",
        _perf_event_program,
        lost="CPU profiles: the sampler is such a program",
        remedy="run as root on Linux 5.17 or newer, in the host's user namespace",
        required=True,
    ),
    Probe(
        "tp_btf",
        _loading(lambda: probe.check_attach("on_exec"), "tracepoint sched_process_exec attaches"),
        lost="CPU profiles: fork and exec of processes are followed by it",
        remedy="a kernel with CONFIG_DEBUG_INFO_BTF=y",
        required=True,
    ),
    Probe(
        "ring_buffer",
        _loading(probe.check_ring_buffer, "maps of this type can be made"),
        lost="CPU profiles: stacks reach ebprof through it",
        remedy="Linux 5.8 or newer",
        required=True,
    ),
    Probe(
        "bpf_loop",
        _loading(lambda: probe.check_helper("bpf_loop"), "can be called"),
        lost="CPU profiles: the unwinder walks up to 512 frames by it",
        remedy="Linux 5.17 or newer",
        required=True,
    ),
    Probe(
        "bpf_task_pt_regs",
        _loading(lambda: probe.check_helper("bpf_task_pt_regs"), "can be called"),
        lost="CPU profiles: user stacks of samples in the kernel start from it",
        remedy="Linux 5.15 or newer",
        required=True,
    ),
    Probe(
        "cpu_program",
        _loading(_cpu_program, "passes this kernel's verifier"),
        lost="CPU profiles",
        remedy="if all above is ok, report what `ebprof profile -d 1` says",
        required=True,
    ),
    Probe(
        "fentry",
        _loading(lambda: probe.check_attach("on_fentry"), "attaches to tcp_sendmsg"),
        lost="the cheapest hooks on kernel functions; CPU profiles do not use them",
        remedy="a kernel with CONFIG_FUNCTION_TRACER=y that is not locked down",
    ),
    Probe(
        "kprobe",
        _loading(_kprobe, "attaches to tcp_sendmsg"),
        lost="hooks on kernel functions where fentry is missing; CPU profiles do not use them",
        remedy="a kernel with CONFIG_KPROBE_EVENTS=y that is not locked down",
    ),
    Probe(
        "uprobe",
        _loading(lambda: probe.check_attach("on_uprobe"), "attaches to a file"),
        lost="hooks on functions of programs; CPU profiles do not use them",
        remedy="a kernel with CONFIG_UPROBE_EVENTS=y",
    ),
    Probe(
        "sock_send_length",
        _loading(lambda: probe.check_attach("on_sock_send_length"), "this tracepoint attaches"),
        lost="TCP traffic on kernels without fentry and kprobes",
        remedy="Linux 6.3 or newer",
    ),
)
