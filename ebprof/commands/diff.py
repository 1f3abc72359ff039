"""`ebprof diff`: what changed between two saved profiles."""

from __future__ import annotations

import re
import sys
from fractions import Fraction
from functools import partial
from types import ModuleType
from typing import Any

import click

from ebprof import plugins, remote
from ebprof.commands import _complete, _streams
from ebprof.commands._input_options import reading_options, say, warn
from ebprof.commands._output_options import format_option, full_names_option, output_option
from ebprof.comparison import Comparison, compare, matching, renaming, reports, text
from ebprof.comparison.join import SELF, TOTAL
from ebprof.comparison.ranking import AFTER, BEFORE, View, grown
from ebprof.errors import RegressionError, UsageError
from ebprof.output import Reading, check_writable, default_name, read_profiles, write_to
from ebprof.procfs.text import printable

_PERCENTAGE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%?")
_NAMED = 5


@click.command()
@click.argument("before", metavar="A", shell_complete=_complete.files)
@click.argument("after", metavar="B", shell_complete=_complete.files)
@format_option(partial(plugins.names, reports), "docs/diff.md")
@output_option
@reading_options
@click.option(
    "--map",
    "names",
    metavar="OLD=NEW",
    multiple=True,
    help="The process, or module, OLD of A is called NEW in B; repeatable.",
)
@full_names_option
@click.option(
    "--absolute", is_flag=True, help="Compare cores (or samples), not shares of the total."
)
@click.option("-s", "--sort", type=click.Choice([SELF, TOTAL]), help="Change that comes first.")
@click.option("-r", "--rows", type=click.IntRange(1), metavar="ROWS", help="At most so many rows.")
@click.option(
    "--widths", type=click.Choice([BEFORE, AFTER]), help="Whose widths a flame graph has."
)
@click.option(
    "--fail-above", "limit", metavar="PERCENT", help="Exit with 7 if a function grew by more."
)
@click.option(
    "--fail-on", "share", type=click.Choice([SELF, TOTAL]), help="Share that --fail-above is of."
)
def command(
    before: str,
    after: str,
    format_name: str | None,
    path: str | None,
    how: Reading,
    names: tuple[str, ...],
    full_names: bool,
    absolute: bool,
    limit: str | None,
    share: str | None,
    **view: Any,
) -> None:
    """Compare two saved profiles (pprof or folded): what grew from A to B, what shrank.

    On a terminal the functions that changed most, into a pipe folded stacks with two counts, as
    difffolded.pl writes them. Shares of the total are compared, so runs may differ in length. A
    profile recorded with --slice has windows of time: FILE@START-STOP.

    \b
    ebprof diff old.pb.gz new.pb.gz                   functions, largest change first
    ebprof diff old.pb.gz new.pb.gz -o diff.html      red grew, blue shrank
    ebprof diff old.folded new.folded | flamegraph.pl > diff.svg
    ebprof diff old.pb.gz new.pb.gz --absolute        cores of CPU time, not shares
    ebprof diff old.pb.gz new.pb.gz -f table --fail-above 5%
    ebprof diff x.pb.gz@0s-30s x.pb.gz@30s-60s        two windows of one recording
    ebprof diff 1.pb.gz 2.pb.gz --map shop-1=shop-2   a process that has another name in B
    ebprof diff URL1 URL2                             two queries of a collector
    """
    report = _report(format_name, path)
    given = {name: value for name, value in view.items() if value is not None}
    _check_options(report, given)
    threshold = _threshold(limit, share)
    mapped = renaming.parse(names)
    check_writable(path)
    if before == after == "-":
        raise UsageError("A and B cannot both be stdin", "save one of them to a file")
    old, new = read_profiles(before, after, how=how)
    warn(old, new)
    comparison = compare(
        old,
        new,
        (_label(before), _label(after)),
        is_absolute=absolute,
        renaming=renaming.renaming(old, new, mapped),
    )
    missing = renaming.unknown(old, new, mapped)
    say([*missing, *matching.warnings(comparison), *text.warnings(comparison)])
    is_short = getattr(report, "IS_FOR_PEOPLE", False) and not full_names
    shown = comparison.with_short_names() if is_short else comparison
    try:
        write_to(path, partial(report.write, shown, View(**given)))
    except BrokenPipeError:  # whether it is a regression does not hang on a reader
        _streams.discard_stdout()
    if threshold is not None:
        _judge(comparison, share or SELF, threshold)


def _report(format_name: str | None, path: str | None) -> ModuleType:
    name = default_name(path, sys.stdout.isatty()) if format_name is None else format_name
    module: ModuleType | None = plugins.load(reports, name)
    if module is None:
        known = ", ".join(plugins.names(reports))
        raise UsageError(f"a comparison cannot be written as {name!r}", f"formats are {known}")
    return module


def _check_options(report: ModuleType, given: dict[str, Any]) -> None:
    for name in given:
        if name not in report.OPTIONS:
            form = report.__name__.rpartition(".")[2]
            raise UsageError(
                f"--{name} means nothing for {form}", "leave it out, or choose another -f"
            )


def _threshold(text: str | None, share: str | None) -> Fraction | None:
    """`5%` or `5` in percentage points."""
    if text is None:
        if share is not None:
            raise UsageError(f"--fail-on {share} needs a limit", "add --fail-above 5%")
        return None
    match = _PERCENTAGE.fullmatch(text)
    if match is None or Fraction(match[1]) > 100:
        raise UsageError(f"cannot read --fail-above {text!r}", "write it like 5% or 0.5%")
    return Fraction(match[1])


def _label(path: str) -> str:
    if remote.is_url(path):
        return printable(remote.label(path))
    return "stdin" if path == "-" else path.rstrip("/").rpartition("/")[2]


def _judge(comparison: Comparison, share: str, limit: Fraction) -> None:
    changes = grown(comparison, share, limit)
    if not changes:
        return
    named = [text.growth(comparison, one, share) for one in changes[:_NAMED]]
    if len(changes) > _NAMED:
        named.append(f"and {len(changes) - _NAMED} more")
    raise RegressionError(
        f"{share} share grew by more than {float(limit):g} points: {', '.join(named)}"
    )
