"""BPF: what the kernel loads and attaches, and what it says when it refuses."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

from ebprof.bpf import loaders, probe
from ebprof.bpf.cpu import CpuOptions, CpuSession
from ebprof.bpf.events import CPU_CLOCK, Rate, Scope
from ebprof.errors import EbprofError
from ebprof.features._feature import Finding, Probe, missing, ok, unknown
from ebprof.procfs import process


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


def loading(check: Callable[[], None], detail: str) -> Callable[[], Finding]:
    """A probe that needs the right to load programs, and says so where that is missing."""

    def look() -> Finding:
        if reason := _why_nothing_loads():
            return unknown(reason)
        check()
        return ok(detail)

    return look


def _attaching(program: str, detail: str) -> Callable[[], Finding]:
    return loading(lambda: probe.check_attach(program), detail)


def _helper(name: str, lost: str, since: str) -> Probe:
    """The probe of a function of the kernel's that the sampler calls where it is there."""
    return Probe(
        name,
        loading(lambda: probe.check_helper(name), "can be called"),
        lost=lost,
        remedy=f"Linux {since} or newer",
    )


def _unmapped_areas() -> Finding:
    if reason := _why_nothing_loads():
        return unknown(reason)
    if process.own_pid_namespace():
        return missing("its processes have other numbers than in this PID namespace")
    if not loaders.object_type().has_tracepoint("vm_unmapped_area"):
        return missing("this kernel has no tracepoint vm_unmapped_area")
    return ok("tracepoint vm_unmapped_area tells of them")


def _cpu_program() -> Finding:
    """What a profile does, done to this process."""
    if reason := _why_nothing_loads():
        return unknown(reason)
    with CpuSession(CpuOptions(namespace=process.own_pid_namespace())) as session:
        session.shards.new_shard()
        session.attach_perf_event(CPU_CLOCK, Rate(1), [Scope(pid=os.getpid())], idle=False)
        return ok(f"loads, takes unwind tables, samples: {session.program}.bpf.o")


PROBES = (
    Probe(
        "perf_event_program",
        _perf_event_program,
        lost="CPU profiles: the sampler is such a program",
        remedy="Linux 5.10 or newer, and root's capabilities in the host's user namespace",
        required=True,
    ),
    Probe(
        "tp_btf",
        _attaching("on_exec", "tracepoint sched_process_exec attaches"),
        lost="libbpf as loader: programs on tracepoints are typed; see the feature loader",
        remedy="a kernel with CONFIG_DEBUG_INFO_BTF=y",
    ),
    Probe(
        "ring_buffer",
        loading(probe.check_ring_buffer, "maps of this type can be made"),
        lost="CPU profiles: stacks reach ebprof through it",
        remedy="Linux 5.8 or newer",
        required=True,
    ),
    _helper("bpf_loop", "a few per cent of speed: stacks are walked by tail calls", since="5.17"),
    _helper(
        "bpf_task_pt_regs",
        "CPU profiles in lockdown mode confidentiality: registers are read by address",
        since="5.15",
    ),
    Probe(
        "growing_maps",
        loading(probe.check_growing_map, "perf_event programs may use them"),
        lost="up to 25 MB of memory: maps are allocated at once",
        remedy="Linux 6.1 or newer",
    ),
    Probe(
        "unmapped_areas",
        _unmapped_areas,
        lost="the first samples of a library in the place of another: they have its stacks",
        remedy="Linux 5.7 or newer, in the host's PID namespace",
    ),
    Probe(
        "cpu_program",
        _cpu_program,
        lost="CPU profiles",
        remedy="if all above is ok, report what `ebprof profile -d 1` says",
        required=True,
    ),
    Probe(
        "fentry",
        _attaching("on_fentry", "attaches to tcp_sendmsg"),
        lost="the best way to see TCP traffic; CPU profiles do not need it",
        remedy="a kernel with CONFIG_FUNCTION_TRACER=y that is not locked down",
    ),
    Probe(
        "kprobe",
        loading(probe.check_kprobe, "attaches to tcp_sendmsg"),
        lost="the second way to see TCP traffic; CPU profiles do not need it",
        remedy="a kernel with CONFIG_KPROBE_EVENTS=y that is not locked down",
    ),
    Probe(
        "uprobe",
        _attaching("on_uprobe", "attaches to a file"),
        lost="hooks on functions of programs; CPU profiles do not use them",
        remedy="a kernel with CONFIG_UPROBE_EVENTS=y",
    ),
)
