"""perf events: what can be sampled, how often, and for whom."""

from __future__ import annotations

import os
from pathlib import Path

from ebprof.bpf import events
from ebprof.bpf.events import CPU_CLOCK, CYCLES, Event, Rate, Scope
from ebprof.bpf.rights import effective_capabilities, lacking
from ebprof.bpf.sideband import Sideband
from ebprof.errors import NoPermissionError
from ebprof.features._feature import Finding, Probe, limited, ok, read_number, unknown
from ebprof.sampling.target import online_cpus

SYSCTL = Path("/proc/sys/kernel")
USUAL_FREQUENCY = 99
USUAL_DEPTH = 127


def _open(event: Event) -> None:
    """Open it on a CPU, as a profile of all processes does."""
    scope = Scope(cpu=online_cpus()[0])
    os.close(events.open_event(event, Rate(USUAL_FREQUENCY), scope))


def _cpu_clock() -> Finding:
    _open(CPU_CLOCK)
    return ok("opens for all processes of a CPU")


def _cycles() -> Finding:
    try:
        _open(CYCLES)
    except NoPermissionError as error:
        return unknown(error.message)
    return ok("the machine counts them")


def _process_events() -> Finding:
    Sideband(online_cpus()[:1]).close()
    return ok("mmap, exec, fork and exit are reported")


def _paranoid() -> Finding:
    """Below 0 it binds nobody (perf_event_open(2))."""
    level, held = read_number(SYSCTL / "perf_event_paranoid"), effective_capabilities()
    if level is None:
        return unknown("kernel.perf_event_paranoid cannot be read")
    if held is None:
        return unknown(f"kernel.perf_event_paranoid={level}; whether it binds us is not known")
    if level < 0 or "CAP_PERFMON" not in lacking():
        return ok(f"kernel.perf_event_paranoid={level}, which does not bind root and CAP_PERFMON")
    return limited(f"kernel.perf_event_paranoid={level} binds user {os.geteuid()}")


def _sample_rate() -> Finding:
    rate = read_number(SYSCTL / "perf_event_max_sample_rate")
    if rate is None:
        return unknown("kernel.perf_event_max_sample_rate cannot be read")
    detail = f"at most {rate} samples a second"
    return ok(detail) if rate >= USUAL_FREQUENCY else limited(detail)


def _kernel_depth() -> Finding:
    depth = read_number(SYSCTL / "perf_event_max_stack")
    if depth is None:
        return unknown("kernel.perf_event_max_stack cannot be read")
    detail = f"kernel stacks of at most {min(depth, USUAL_DEPTH)} frames"
    return ok(detail) if depth >= USUAL_DEPTH else limited(detail)


PROBES = (
    Probe(
        "cpu_clock",
        _cpu_clock,
        lost="CPU profiles on machines that do not count cycles",
        remedy="CAP_PERFMON, which root has, in the host's user namespace",
        required=True,
    ),
    Probe(
        "cycles",
        _cycles,
        lost="-e cycles; samples are taken by the clock instead (cpu-clock)",
        remedy="a machine, or a virtual one, with a performance counter unit",
    ),
    Probe(
        "process_events",
        _process_events,
        lost="profiles of all processes, cgroups and commands: new processes are seen by it",
        remedy="the right of cpu_clock; raise kernel.perf_event_mlock_kb",
        required=True,
    ),
    Probe(
        "perf_event_paranoid",
        _paranoid,
        lost="nothing for root: it binds users without CAP_PERFMON",
        remedy="sysctl kernel.perf_event_paranoid=-1",
    ),
    Probe(
        "perf_event_max_sample_rate",
        _sample_rate,
        lost=f"the default of {USUAL_FREQUENCY} Hz: a higher -F is refused",
        remedy="sysctl kernel.perf_event_max_sample_rate=100000",
    ),
    Probe(
        "perf_event_max_stack",
        _kernel_depth,
        lost="the outer frames of deeper kernel stacks",
        remedy=f"sysctl kernel.perf_event_max_stack={USUAL_DEPTH}",
    ),
)
