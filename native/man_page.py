"""Writes ebprof(1), in the macros of man(7), from what the commands say in their `--help`, and from
the lists of formats, stop reasons and counters.

    python native/man_page.py ebprof.1

click-man does not do: it leaves backslashes and leading dots of the text to roff, fills lines that
click keeps as they are, and needs Python 3.11.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

import click

from ebprof import __version__, cli, commands, output, plugins
from ebprof.abi import STOP_REASONS
from ebprof.sampling.statistics import ALL_COUNTERS
from ebprof.traffic.monitor import COUNTERS as TRAFFIC_COUNTERS

AS_IT_IS = "\b\n"
"""What a paragraph begins with whose lines click does not fill."""

FORMATS = (
    "A profile is written as -f says, or as the suffix of the file of -o stands for; else as a "
    "table on a terminal, and as folded stacks into a pipe."
)
STOPS = (
    "Why the walk of a user stack ended. All but complete keep the frames they have; how many "
    "there were of each is said after a run."
)
COUNTED = "What else happened in a run. Those that are not zero are printed after it."
FILES = (
    ("$XDG_CACHE_HOME/ebprof/symcache, ~/.cache/ebprof/symcache", "Debug information, once read."),
    ("/usr/lib/debug/.build-id/", "Separate debug files that names are read from."),
    (
        "/tmp/perf-PID.map",
        "A just-in-time compiler's names of its code, in the process's own root.",
    ),
    ("/sys/kernel/btf/vmlinux", "The kernel's types, to which libbpf fits the BPF programs."),
)


def render() -> str:
    """The page, with all commands of ours."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    context = click.Context(cli.ebprof, info_name="ebprof", **cli.ebprof.context_settings)
    first, _, rest = inspect.cleandoc(cli.ebprof.help or "").partition("\n\n")
    found = [_subcommand(context, name) for name in plugins.module_names(commands)]
    yield f'.TH EBPROF 1 "" "ebprof {__version__}" "User Commands"'
    yield from (".nh", ".ad l")  # names that are to be typed are not cut
    yield from (".SH NAME", f"ebprof \\- {_escape(first.removesuffix('.'))}", ".SH SYNOPSIS")
    yield from (line for one in found for line in _usage(one))
    prose, examples = _parted(rest)
    yield from (".SH DESCRIPTION", *_paragraphs(prose), *_options(context), ".SH COMMANDS")
    for one in found:
        yield f'.SS "{_escape(one.command_path)}"'
        yield from _described(one)
        for below in _below(one):
            yield from (".PP", f'.B "{_escape(below.command_path)}"')
            yield from _described(below)
    yield from (".SH FORMATS", *_paragraphs(FORMATS), *_terms(_formats()))
    yield from (".SH STOP REASONS", *_paragraphs(STOPS))
    yield from _terms((one.name, one.help) for one in STOP_REASONS)
    yield from (".SH COUNTERS", *_paragraphs(COUNTED), ".SS of profile, flame and top")
    yield from _terms((one.name, one.help) for one in ALL_COUNTERS)
    yield from (".SS of traffic", *_terms((one.name, one.help) for one in TRAFFIC_COUNTERS))
    yield from (".SH EXIT STATUS", *_paragraphs(cli.ebprof.epilog or ""))
    yield from (".SH FILES", *_terms(FILES))
    yield from (".SH EXAMPLES", *_paragraphs(examples))


def _described(context: click.Context) -> Iterator[str]:
    yield from _paragraphs(inspect.cleandoc(context.command.help or ""))
    yield from _options(context)


def _below(context: click.Context) -> Iterator[click.Context]:
    """The commands of a command that is a group."""
    if isinstance(context.command, click.Group):
        for name, command in sorted(context.command.commands.items()):
            yield click.Context(command, info_name=name, parent=context)


def _parted(text: str) -> tuple[str, str]:
    """The paragraphs that are filled, and those that are as they are: examples."""
    every = text.split("\n\n")
    filled = [one for one in every if not one.startswith(AS_IT_IS)]
    return "\n\n".join(filled), "\n\n".join(one for one in every if one not in filled)


def _formats() -> Iterator[tuple[str, str]]:
    """What -f takes, with what is for whom and the suffixes that stand for it."""
    for name in plugins.module_names(output):
        module = import_module(f"{output.__name__}.{name}")
        first = inspect.cleandoc(module.__doc__ or "").partition("\n")[0]
        yield name, f"{', '.join(module.SUFFIXES)}: {first}"


def _terms(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in pairs:
        yield from (".TP", f'.B "{_escape(term)}"', _escape(text))


def _subcommand(context: click.Context, name: str) -> click.Context:
    command: click.Command = plugins.load(commands, name, commands.CommandModule).command
    return click.Context(command, info_name=name, parent=context)


def _usage(context: click.Context) -> Iterator[str]:
    pieces = " ".join(context.command.collect_usage_pieces(context))
    yield from (f".B {_escape(context.command_path)}", _escape(pieces), ".br")


def _options(context: click.Context) -> Iterator[str]:
    for option in context.command.get_params(context):
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record is not None:
            yield from _terms([record])


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        if paragraph.startswith(AS_IT_IS):
            lines = paragraph.removeprefix(AS_IT_IS).splitlines()
            yield from (".PP", ".nf", *map(_escape, lines), ".fi")
        else:
            yield from (".PP", *map(_escape, paragraph.splitlines()))


def _escape(text: str) -> str:
    """Text as roff shows it: a backslash, quote or hyphen is one, and no line is a request."""
    for char, name in (("\\", "\\e"), ("-", "\\-"), ('"', "\\(dq"), ("'", "\\(aq"), ("`", "\\(ga")):
        text = text.replace(char, name)
    return f"\\&{text}" if text.startswith(".") else text


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render())
