"""Writes ebprof(1), in the macros of man(7), from what the commands say in their `--help`.

    python native/man_page.py ebprof.1

click-man does not do: it leaves backslashes and leading dots of the text to roff, fills lines that
click keeps as they are, and needs Python 3.11.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ebprof import __version__, cli, commands, plugins

AS_IT_IS = "\b\n"
"""What a paragraph begins with whose lines click does not fill."""


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
    yield from (".SH DESCRIPTION", *_paragraphs(rest), *_options(context), ".SH COMMANDS")
    for one in found:
        yield f'.SS "{_escape(one.command_path)}"'
        yield from _paragraphs(inspect.cleandoc(one.command.help or ""))
        yield from _options(one)
    yield from (".SH EXIT STATUS", *_paragraphs(cli.ebprof.epilog or ""))


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
            names, text = record
            yield from (".TP", f'.B "{_escape(names)}"', _escape(text))


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
