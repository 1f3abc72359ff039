"""`ebprof traffic`: who talks to whom over TCP."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ebprof.commands import _complete
from ebprof.commands._options import loader_option
from ebprof.commands._schedule import is_live, parse_schedule
from ebprof.commands._stats import check_stats, stats_option
from ebprof.commands._values import given, parse_duration, parse_numbers
from ebprof.errors import UsageError
from ebprof.identity.containers import find_container
from ebprof.procfs.text import printable
from ebprof.traffic.backends import all_backends
from ebprof.traffic.endpoint import Endpoint, parse_endpoint, parse_port
from ebprof.traffic.filter import ROLES, FlowFilter
from ebprof.traffic.grouping import PIVOTS, SORTS, check_sort, parse_pivots
from ebprof.watch.clock import seconds_since_start
from ebprof.watch.loop import Schedule, Watch

if TYPE_CHECKING:
    from ebprof.traffic.monitor import Monitor

_PIVOTS, _SORTS = ", ".join(PIVOTS), ", ".join(SORTS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to show what is counted. rows: at most, None for all (or what there is room for)."""

    is_live: bool
    as_json: bool
    by: tuple[str, ...]
    sort: str
    rows: int | None
    schedule: Schedule
    stats: str | None


@click.command()
@click.argument("interval", required=False)
@click.argument("count", required=False)
@click.option("--top", is_flag=True, help="A live table: the default on a terminal.")
@click.option("-p", "--pid", multiple=True, metavar="PID[,PID]", help="Only these processes.")
@click.option("--comm", metavar="NAME", help="Only processes of this name.")
@click.option(
    "-G",
    "--cgroup",
    metavar="CGROUP",
    help="Only this cgroup and those below it: a path, a unit like nginx.service, or a container.",
)
@click.option(
    "--container",
    metavar="NAME|ID",
    help="Only this container: its name, or (the beginning of) its ID.",
)
@click.option("--port", metavar="N", help="Only this port, at either end.")
@click.option("--from", "source", metavar="ADDR[:PORT]", help="Only connections from there.")
@click.option("--to", "destination", metavar="ADDR[:PORT]", help="Only connections to there.")
@click.option("--role", type=click.Choice(list(ROLES)), help="Only this end of connections.")
@click.option(
    "--by",
    metavar="KEY[,KEY]",
    default="flow",
    shell_complete=_complete.some_of(lambda: PIVOTS),
    help=f"What a row is: {', '.join(PIVOTS)}.",
)
@click.option("-4", "only_4", is_flag=True, help="Only IPv4.")
@click.option("-6", "only_6", is_flag=True, help="Only IPv6.")
@click.option(
    "-s",
    "--sort",
    metavar="SORT",
    default="total",
    shell_complete=_complete.one_of(lambda: SORTS),
    help=f"What comes first: {', '.join(SORTS)}.",
)
@click.option("-r", "--rows", type=click.IntRange(1), metavar="ROWS", help="At most so many rows.")
@click.option("-d", "--duration", metavar="TIME", help="10, 10s, 2m; without it until Ctrl-C.")
@click.option("--names", is_flag=True, help="Names of peers, from reverse DNS.")
@click.option("--json", "as_json", is_flag=True, help="One object a line, see docs/traffic.md.")
@click.option(
    "--backend",
    metavar="B",
    shell_complete=_complete.one_of(lambda: [backend.name for backend in all_backends()]),
    help="Count with this backend, see docs/traffic.md.",
)
@loader_option
@stats_option
def command(**values: Any) -> None:
    """Show who talks to whom over TCP: bytes, calls, connections, by process and peer.

    On a terminal a live table (h lists its keys), into a pipe text that is added to, every
    INTERVAL (1 second), COUNT times. With -d and no INTERVAL one report at the end.
    `ebprof top-traffic` is the same.

    \b
    ebprof traffic                               live: every flow of the machine
    ebprof traffic --to :6379 --by peer          who calls this service?
    ebprof traffic --to :6379 -s latency         who waits longest, and keeps others waiting?
    ebprof traffic --role server --by unit       what this machine's services serve
    ebprof traffic -G redis-server.service       what a service and its children do
    ebprof traffic -p 1234 -d 10                 10 seconds of a process, one report
    ebprof traffic --by process -s tx 5          the largest senders, every 5 seconds
    ebprof traffic --json 1 60 > flows.jsonl     a minute for programs
    """
    from ebprof.traffic.monitor import Monitor
    from ebprof.traffic.reports import statistics

    wanted = _wanted(values)
    flow_filter = _filter(values)
    check_stats(wanted.stats)
    backend, loader = values["backend"], values["loader"]
    with Monitor.open(backend, flow_filter, values["names"], loader) as monitor:
        ready = seconds_since_start()
        if wanted.is_live:
            _run_live(monitor, wanted, _describe(values))
        else:
            _run_stream(monitor, wanted, flow_filter, ready)
        _say(*(f"warning: {one}" for one in monitor.warnings))
        if wanted.stats:
            statistics.of_run(monitor, ready).write(wanted.stats)


def _run_live(monitor: Monitor, wanted: Wanted, target: str) -> None:
    from ebprof.screen.browser import View
    from ebprof.screen.keyboard import Keyboard, terminal_fd
    from ebprof.screen.live import Screen
    from ebprof.traffic.reports.live import LiveReport

    with Screen(sys.stdout.fileno(), Keyboard(terminal_fd())) as screen:
        view = View(wanted.by, wanted.sort)
        report = LiveReport(screen, monitor, view, wanted.rows, target)
        Watch(monitor, report, wanted.schedule).run()


def _run_stream(
    monitor: Monitor, wanted: Wanted, flow_filter: FlowFilter, ready_seconds: float
) -> None:
    from ebprof.screen.outlet import Outlet
    from ebprof.traffic.reports import statistics
    from ebprof.traffic.reports.json import JsonForm
    from ebprof.traffic.reports.stream import StreamReport
    from ebprof.traffic.reports.text import TextForm

    _say(f"traffic by {monitor.backend}", *flow_filter.notes(), *_notes(monitor))
    form = JsonForm() if wanted.as_json else TextForm(wanted.by)
    outlet = Outlet(sys.stdout.fileno())
    report = StreamReport(outlet, monitor, form, wanted.by, wanted.sort, wanted.rows)
    Watch(monitor, report, wanted.schedule).run()
    _say(*statistics.summary(statistics.of_run(monitor, ready_seconds), report.not_shown))


def _notes(monitor: Monitor) -> tuple[str, ...]:
    if monitor.counts_turns:
        return ()
    return (f"no latencies: the backend {monitor.backend} sees no calls",)


def _say(*lines: str) -> None:
    for one in lines:
        print(f"ebprof: {one}", file=sys.stderr)


def _wanted(values: dict[str, Any]) -> Wanted:
    duration = values["duration"]
    duration_s = None if duration is None else parse_duration(duration)
    schedule = parse_schedule(values["interval"], values["count"], duration_s, top=values["top"])
    return Wanted(
        is_live=is_live(schedule, top=values["top"], as_json=values["as_json"]),
        as_json=values["as_json"],
        by=parse_pivots(values["by"]),
        sort=check_sort(values["sort"]),
        rows=values["rows"],
        schedule=schedule,
        stats=values["stats"],
    )


def _filter(values: dict[str, Any]) -> FlowFilter:
    if values["only_4"] and values["only_6"]:
        raise UsageError("-4 and -6 exclude each other", "leave both out for both")
    return FlowFilter(
        pids=parse_numbers(values["pid"], "PID"),
        comm=printable(given(values["comm"], "--comm")),
        cgroup=given(values["cgroup"], "-G"),
        container=_container(values["container"]),
        port=None if values["port"] is None else parse_port(values["port"]),
        source=_endpoint(values["source"]),
        destination=_endpoint(values["destination"]),
        role=values["role"] or "",
        family=4 if values["only_4"] else 6 if values["only_6"] else None,
    )


def _container(name: str | None) -> str:
    return "" if name is None else find_container(given(name, "--container")).id


def _endpoint(text: str | None) -> Endpoint | None:
    return None if text is None else parse_endpoint(text)


def _describe(values: dict[str, Any]) -> str:
    """The filters of the command line as they were given, for the header."""
    words = [
        f"{option} {value}"
        for option, value in (
            ("-p", ",".join(values["pid"])),
            ("--comm", values["comm"]),
            ("-G", values["cgroup"]),
            ("--container", values["container"]),
            ("--port", values["port"]),
            ("--from", values["source"]),
            ("--to", values["destination"]),
            ("--role", values["role"]),
        )
        if value
    ]
    words += [option for option, name in (("-4", "only_4"), ("-6", "only_6")) if values[name]]
    return printable(" ".join(words))
