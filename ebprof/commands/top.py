"""`ebprof top`: the hottest functions, live."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ebprof.bpf.tasks import Only
from ebprof.commands import _complete
from ebprof.commands._options import RecordingCommand, sampling_options
from ebprof.commands._output_options import full_names_option
from ebprof.commands._schedule import is_live, parse_schedule
from ebprof.model import CPUS, comments_of
from ebprof.output import check_writable
from ebprof.procfs import process
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.target import Target
from ebprof.shortnames import short_name
from ebprof.top.rows import PIVOTS, SORTS
from ebprof.top.table import check_pivot, check_sort
from ebprof.watch.loop import Schedule, Watch

if TYPE_CHECKING:
    from ebprof.top.monitor import Status, TopMonitor
    from ebprof.top.reports.forms import JsonForm, TextForm
    from ebprof.top.reports.frame import Subject
    from ebprof.top.reports.view import TopView

STREAM_ROWS = 20


@click.command(cls=RecordingCommand)
@click.argument("interval", required=False)
@click.argument("count", required=False)
@sampling_options
@click.option(
    "--by",
    metavar="KEY",
    default="function",
    shell_complete=_complete.one_of(lambda: PIVOTS),
    help=f"What a row is: {', '.join(PIVOTS)}.",
)
@click.option(
    "-s",
    "--sort",
    metavar="SORT",
    default="self",
    shell_complete=_complete.one_of(lambda: SORTS),
    help=f"What comes first: {', '.join(SORTS)}.",
)
@click.option("-r", "--rows", type=click.IntRange(1), metavar="ROWS", help="At most so many rows.")
@full_names_option
@click.option("--json", "as_json", is_flag=True, help="One object a line, see docs/top.md.")
def command(
    target: Target,
    options: RecordOptions,
    interval: str | None,
    count: str | None,
    by: str,
    sort: str,
    rows: int | None,
    full_names: bool,
    as_json: bool,
) -> int:
    """Show the hottest functions while they run.

    On a terminal a live table (h lists its keys; Enter shows callers and callees), into a pipe a
    table every INTERVAL (1 second), COUNT times. With -d and no INTERVAL one table at the end.

    \b
    ebprof top                            live: the whole machine
    ebprof top -p 1234                    a process
    ebprof top --by process 5             processes, every 5 seconds
    ebprof top --by command               command lines: short processes of a loop together
    ebprof top -G nginx.service -U -F 999
    ebprof top -e page-faults -p 1234     who touches new memory
    ebprof top --json 1 60 > top.jsonl    a minute for programs
    """
    from ebprof.sampling.about import facts_of
    from ebprof.sampling.run import open_run
    from ebprof.sampling.statistics import counted
    from ebprof.symbolize.nameless import lines_of
    from ebprof.top.monitor import TopMonitor
    from ebprof.top.reports.forms import JsonForm, TextForm
    from ebprof.top.reports.frame import Subject
    from ebprof.top.reports.view import TopView
    from ebprof.top.stacks import Stacks

    schedule = parse_schedule(interval, count, options.duration_s)
    check_pivot(by)
    check_sort(sort)
    live = is_live(schedule, as_json=as_json)
    check_writable(None)
    with open_run(target, options, is_mute=True) as run:
        facts = facts_of(target)
        cpus, comments = int(facts[CPUS]), comments_of(facts)
        subject = Subject(target.describe(), run.sampled, run.is_one_process, cpus, comments)
        own = process.own_family if target.only is Only.ALL else tuple
        names = Stacks(name_of=str if full_names or as_json else short_name)
        monitor = TopMonitor(run, names, own, is_kept=live)
        if live:
            _run_live(monitor, schedule, TopView((by,), sort), rows, subject)
        else:
            form = JsonForm(subject, by) if as_json else TextForm(subject, by)
            monitor.table.choose(by)
            most = rows or (None if as_json else STREAM_ROWS)
            _run_stream(monitor, schedule, form, sort, most, subject)
        warnings = (f"warning: {one}" for one in run.accounts.warnings)
        gaps = lines_of(monitor.gaps.found())
        for line in (*counted({}, run.accounts.counters()), *gaps, *warnings):
            _say(line)
        return run.exit_code


def _run_live(
    monitor: TopMonitor, schedule: Schedule, view: TopView, rows: int | None, subject: Subject
) -> None:
    from ebprof.screen.keyboard import Keyboard, terminal_fd
    from ebprof.screen.live import Screen
    from ebprof.top.reports.live import LiveTop

    with Screen(sys.stdout.fileno(), Keyboard(terminal_fd())) as screen:
        Watch(monitor, LiveTop(screen, monitor, view, rows, subject), schedule).run()


def _run_stream(
    monitor: TopMonitor,
    schedule: Schedule,
    form: TextForm | JsonForm,
    sort: str,
    most: int | None,
    subject: Subject,
) -> None:
    from ebprof.screen.outlet import Outlet
    from ebprof.top.reports.stream import StreamTop

    _say(f"sampling {subject.target} ({subject.sampled.describe()})")
    report = StreamTop(Outlet(sys.stdout.fileno()), monitor, form, sort, most)
    Watch(monitor, report, schedule).run()
    for line in _summary(monitor.run_status(), subject):
        _say(line)


def _summary(status: Status, subject: Subject) -> Iterator[str]:
    from ebprof.sampling.statistics import complete_text, counted

    yield (
        f"{status.samples:,} samples of {subject.target} in {status.elapsed_s:.1f} s, "
        f"{complete_text(status.complete_share, ' of user stacks')}, lost {status.lost:,}"
    )
    yield from counted(status.stops, {})
    yield (
        f"overhead: {100 * status.kernel_share:.3f} % of a core in the kernel, "
        f"ebprof itself {100 * status.own_share:.1f} %"
    )


def _say(text: str) -> None:
    print(f"ebprof: {text}", file=sys.stderr)
