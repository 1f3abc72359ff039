"""`ebprof profile`: where CPU time goes, or where events come from."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click

from ebprof.commands._options import RecordingCommand, recording_options
from ebprof.commands._output_options import format_option, look_options, output_option
from ebprof.commands._values import parse_duration
from ebprof.errors import UsageError
from ebprof.output import Look, OutputFormat, choose, names, styled
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.target import Target

MIN_SLICE_S, MAX_SLICE_S = 0.01, 86_400


@click.command(cls=RecordingCommand)
@recording_options
@click.option(
    "--slice",
    "slice_text",
    metavar="TIME",
    help="Keep slices of this length apart, for FILE@START-STOP.",
)
@look_options
@format_option(names, "docs/formats.md")
@click.option("--folded", is_flag=True, help="The same as -f folded.")
@output_option
def command(
    target: Target,
    options: RecordOptions,
    slice_text: str | None,
    format_name: str | None,
    folded: bool,
    path: str | None,
    look: Look,
    **rest: Any,
) -> int:
    """Sample CPU stacks and show where time goes.

    On a terminal the hottest functions, into a pipe folded stacks. With -e, where other events
    come from.

    \b
    ebprof profile -d 10                           the whole machine, 10 seconds
    ebprof profile -p 1234                         a process, until Ctrl-C
    ebprof profile -p 1234 -d 10 | flamegraph.pl > out.svg
    ebprof profile -o cpu.pb.gz -- make -j4        a command and its children, as pprof
    ebprof profile --comm nginx -U -F 999 -d 30s   threads of a name, user stacks
    ebprof profile -e page-faults -p 1234          who touches new memory
    ebprof profile --by command -d 10 -f table     which command lines, and how many cores each
    ebprof profile --by container -o cpu.html      a flame graph with a root for each container
    ebprof profile --slice 1s -d 60 -o x.pb.gz     to look at x.pb.gz@30s-60s alone
    """
    if folded and format_name not in (None, "folded"):
        raise UsageError(f"--folded and -f {format_name} exclude each other", "choose one")
    from ebprof.commands._record import Destination, record

    output = styled(choose("folded" if folded else format_name, path, sys.stdout.isatty()), look)
    if slice_text is not None:
        options = replace(options, slice_ns=_slice_ns(slice_text, output))
    return record(target, options, Destination(output, path, look=look, **rest))


def _slice_ns(text: str, output: OutputFormat) -> int:
    seconds = parse_duration(text, "slice")
    if not MIN_SLICE_S <= seconds <= MAX_SLICE_S:
        raise UsageError(f"a slice of {text} is too short or too long", "from 10ms to 24h are kept")
    if not getattr(output, "KEEPS_TIMES", False):
        raise UsageError("--slice needs a format that keeps times", "add -o x.pb.gz, or -f json")
    return round(seconds * 1e9)
