"""An agent: a run, its windows, the spool, and who pushes; from the start to a signal."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ebprof.address import Place
from ebprof.agent import protocols
from ebprof.agent.budget import Governor, Spent
from ebprof.agent.collectors import Collectors
from ebprof.agent.figures import METRICS, PREFIX
from ebprof.agent.identities import Identities
from ebprof.agent.listener import Listener
from ebprof.agent.monitor import AgentMonitor, Run, Silence
from ebprof.agent.objects import Objects
from ebprof.agent.options import AgentOptions
from ebprof.agent.packer import Packer
from ebprof.agent.pusher import Pusher, turn_s
from ebprof.agent.sender import Sender
from ebprof.agent.spool import Spool
from ebprof.agent.traffic import Session, TrafficFigures, TrafficMonitor
from ebprof.agent.uploader import Uploader
from ebprof.errors import EbprofError, NoTargetError, UnsupportedError
from ebprof.metrics import Counters, Value
from ebprof.notify import Notifier
from ebprof.procfs import process
from ebprof.sampling.options import RecordOptions
from ebprof.secret import read_token
from ebprof.signals import SignalNotes
from ebprof.tls import client_context
from ebprof.walls import Walls
from ebprof.watch.loop import Schedule, Watch

PACK_S, PUSH_S = 30.0, 3.0
"""How long the last windows may take at the end, to the disk and to the collector."""
_STUCK_S = 60.0
_LOOK_S = 10.0
TABLE_MIB, SYMBOL_MIB = 48, 64
"""Of a node that others use. Only programs that are met by samples get tables."""
_FOREVER = Schedule(None, None, None)
_SHED = {
    "cpu": "it takes more of a CPU than it may, and samples less often",
    "memory": "it takes more memory than it may, and samples less often",
    "calls": "counting calls takes more of a CPU than it may: flows have bytes only from now on",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What an agent did. spooled: samples that went into windows on disk, where the others were
    lost; dropped, dropped_flows: samples and flows that no collector will get, by reason; waiting:
    pushes that are left for the next start.
    """

    samples: int
    lost: int
    spooled: int
    waiting: int
    dropped: dict[str, int]
    dropped_flows: dict[str, int]


def record_options(options: AgentOptions) -> RecordOptions:
    """How an agent samples."""
    return RecordOptions(
        event="cpu-clock",
        frequency=options.frequency,
        table_memory=TABLE_MIB,
        symbol_memory=SYMBOL_MIB,
        preload=False,
        is_always_timed=False,
    )


class Agent:
    """Samples from `run` until a signal. run: is set up; say: a line for people.

    hang_ups: SIGHUP, at which `reread` gives the options of now, or raises EbprofError; without it,
    SIGHUP ends the agent. objects: files that the collector is to have, None where names are looked
    up here. traffic: counts flows beside the run, if it is to.
    """

    def __init__(
        self,
        run: Run,
        identities: Identities,
        options: AgentOptions,
        say: Callable[[str], None],
        hang_ups: SignalNotes | None = None,
        reread: Callable[[], AgentOptions] | None = None,
        objects: Objects | None = None,
        traffic: Session | None = None,
    ) -> None:
        self._run = run
        self._identities = identities
        self._options = options
        self._say = say
        self._hang_ups = hang_ups
        self._reread = reread
        self._notifier = Notifier()
        self._counters = Counters(PREFIX, METRICS)
        self._walls = Walls()
        self._cleanup = ExitStack()
        collectors = self._collectors(options)
        protocol = protocols.load(options.protocol)
        self._spool = Spool(options.spool, options.spool_bytes, self._counters, protocol.KINDS)
        self._cleanup.callback(self._spool.close)
        self._packer = Packer(self._spool, identities, self._counters, self._walls, say, protocol)
        self._traffic = self._traffic_monitor(traffic)
        self._governor = Governor(
            options.budget,
            options.frequency,
            self._note_shedding,
            may_unhook=self._traffic is not None and self._traffic.can_unhook_calls,
        )
        self._looked = time.monotonic()
        self._monitor = AgentMonitor(
            run,
            options.interval_s,
            self._packer.put,
            on_tick=self._tick,
            companion=self._traffic,
        )
        try:
            listener = Listener(options.listen, self.metrics, self._is_healthy)
        except BaseException:
            self._cleanup.close()
            raise
        self._cleanup.callback(listener.close)
        self.place: Place = listener.place
        turn = turn_s(options.node, options.interval_s)
        self._pusher = Pusher(self._spool, collectors, self._counters, say, turn)
        self._uploader = (
            Uploader(objects, collectors, self._counters, self._walls, say) if objects else None
        )

    def run(self) -> Summary:
        """Sample until a signal, then spool and push the last window."""
        with self._cleanup:
            Watch(self._monitor, Silence(self._notifier.ready), _FOREVER).run()
            self._notifier.stopping()
            self._monitor.finish()
            self._packer.finish(PACK_S)
            self._pusher.finish(PUSH_S)
            if self._uploader:
                self._uploader.finish(PUSH_S)
            figures = self._monitor.figures
            spooled = self._counters.value("window_samples_total")
            dropped = self._counters.values("dropped_samples_total")
            flows = self._counters.values("dropped_flows_total")
            return Summary(figures.samples, figures.lost, spooled, len(self._spool), dropped, flows)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong with windows, a sentence each."""
        return tuple(self._walls.warnings)

    def metrics(self) -> str:
        """The page of metrics."""
        figures = self._monitor.figures
        flows = self._traffic.figures if self._traffic is not None else TrafficFigures()
        current: dict[str, Value] = {
            "frequency": self._governor.frequency,
            "samples_total": figures.samples,
            "stops_total": figures.stops,
            "lost_total": figures.lost,
            "cpu_seconds_total": round(_cpu_seconds(), 3),
            "bpf_seconds_total": round(figures.kernel_seconds + self._traffic_seconds(), 3),
            "flow_bytes_total": {one: flows.counts[f"{one}_bytes"] for one in ("tx", "rx")},
            "service_bytes_total": flows.moved,
            "flow_connections_total": flows.counts["connections"],
            "flow_counters_total": flows.counters,
            "flow_processes_unread_total": flows.unread,
            "flow_calls_counted": int(self._traffic is not None and self._traffic.counts_calls),
            "resident_bytes": _resident_bytes(),
            "spool_bytes": self._spool.size,
            "spool_files": len(self._spool),
            "objects_waiting": self._uploader.waiting if self._uploader else 0,
        }
        return self._counters.text(current)

    def _traffic_monitor(self, session: Session | None) -> TrafficMonitor | None:
        if session is None:
            return None
        return TrafficMonitor(
            session,
            self._identities,
            self._options.node,
            self._walls,
            self._packer.put,
            in_host=process.own_pid_namespace_is_initial(),
        )

    def _traffic_seconds(self) -> float:
        return self._traffic.kernel_seconds if self._traffic is not None else 0.0

    def _collectors(self, options: AgentOptions) -> Collectors:
        """Raises BadFileError for a token, or files of TLS, that cannot be used."""
        token = partial(read_token, options.token_file)
        token()
        if any(url.startswith("https:") for url in options.collectors):
            client_context(options.tls)
        sender = Sender(options.tls)
        return Collectors(options.collectors, options.node, self._counters, token, sender)

    def _tick(self) -> None:
        self._notifier.alive()
        self._heed_hang_up()
        if time.monotonic() >= self._looked + _LOOK_S:
            self._looked = time.monotonic()
            self._keep_to_budget()

    def _keep_to_budget(self) -> None:
        traffic_seconds = self._traffic_seconds()
        cpu_seconds = _cpu_seconds() + self._monitor.figures.kernel_seconds + traffic_seconds
        before = self._governor.frequency
        if not self._governor.look(Spent(cpu_seconds, traffic_seconds, _resident_bytes())):
            return
        if self._governor.frequency != before:
            self._monitor.set_frequency(self._governor.frequency)
            self._say(f"{self._governor.frequency} Hz from now on, {before} before: docs/agent.md")
        elif self._traffic is not None:
            self._hook_calls(self._traffic)

    def _hook_calls(self, traffic: TrafficMonitor) -> None:
        """Or leave them alone, as the governor says."""
        if not self._governor.counts_calls:
            traffic.unhook_calls()
            return
        try:
            traffic.hook_calls()
        except UnsupportedError as error:
            self._say(f"warning: calls are not counted: {error.message}")
        else:
            self._say("calls are counted again")

    def _note_shedding(self, reason: str) -> None:
        self._counters.add("shed_total", label=reason)
        self._say(f"warning: {_SHED[reason]}: docs/agent.md")

    def _heed_hang_up(self) -> None:
        if self._hang_ups is not None and self._reread is not None and self._hang_ups.take():
            self._notifier.reloading()
            try:
                self._renew(self._reread())
            except EbprofError as error:
                self._counters.add("reloads_total", label="refused")
                self._say(f"warning: the options stay as they were: {error.message}")
            self._notifier.ready()

    def _renew(self, options: AgentOptions) -> None:
        """Change what can be changed while it runs; raises EbprofError, and nothing changes."""
        self._pusher.collectors = collectors = self._collectors(options)
        if self._uploader:
            self._uploader.collectors = collectors
        self._identities.set_rules(options.rules)
        self._run.renew_labels()
        if self._traffic is not None:
            self._traffic.renew()
        self._governor.want(options.frequency)
        self._monitor.set_frequency(self._governor.frequency)
        self._counters.add("reloads_total", label="done")
        fixed = self._options.fixed(options)
        later = f"; from the next start on: {', '.join(fixed)}" if fixed else ""
        self._say(f"the options were read anew{later}")

    def _is_healthy(self) -> bool:
        return time.monotonic() < self._monitor.ticked + _STUCK_S


def _cpu_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used) + _helpers_seconds()


def _helpers_seconds() -> float:
    """CPU time of children that have not ended: who reads symbols is one."""
    ticks = 0
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError, NoTargetError):
            ticks += sum(process.cpu_ticks(int(pid)) for pid in path.read_text().split())
    return ticks / os.sysconf("SC_CLK_TCK")


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
