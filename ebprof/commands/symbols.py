"""`ebprof symbols`: files that name functions, for a collector; and which of them it lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ebprof.commands import _complete, _service_options
from ebprof.commands._decorate import Decorator, with_options
from ebprof.commands._values import parse_duration
from ebprof.errors import EXIT_BAD_FILE, EXIT_FAILURE, EXIT_USAGE, BadFileError, UsageError
from ebprof.procfs.text import printable

if TYPE_CHECKING:
    from ebprof.agent.files import FileSender, Outcome

COLLECTOR = "http://127.0.0.1:8080"
_MISSING = "/api/v1/symbols/missing"
_SHORT_ID = 12
_PARTS = (("object", ""), ("debug", " (debug file)"))
_NAMES = {"dynamic": "dynamic symbols", "table": "symbol table", "none": "no symbols"}


def _collector(what: str) -> Decorator:
    """Which collector, and the token that it asks for."""
    options = (
        click.option(
            "--collector", metavar="URL", default=COLLECTOR, show_default=True, help="Its URL."
        ),
        _service_options.file("--token-file", f"A token that may {what}, where one is needed."),
    )
    return lambda function: with_options(function, options)


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Give a collector files that name functions, and ask which ones it lacks.

    \b
    ebprof symbols push build/shop                a program with DWARF, or its debug file
    ebprof symbols push -r build/ --collector https://profiles:8080 --token-file token
    ebprof symbols missing --last 1d              which build IDs cost how many samples names
    ebprof symbols missing --query '{service_name="shop"}'
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(EXIT_USAGE)


@command.command()
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=_complete.files,
)
@click.option("-r", "--recursive", is_flag=True, help="All ELF files below directories.")
@_collector("push")
@_service_options.tls("the collector's")
def push(files: tuple[Path, ...], recursive: bool, **access: Any) -> int:
    """Send programs, libraries and their debug files to a collector, without their code.

    A line for each says its build ID, what symbols it has, and what became of it. A file is not
    sent where the collector has one as good; a push that was interrupted goes on where it ended.

    \b
    ebprof symbols push build/shop build/shop.debug
    ebprof symbols push -r /usr/lib/debug --collector https://profiles:8080 --token-file token
    """
    sender = _sender(**access)
    code = 0
    for path in _named(files, recursive=recursive):
        found = sender.send(path)
        print(_line(found), flush=True)
        code = max(code, _code(found))
    return code


@command.command()
@click.option(
    "--last", metavar="TIME", default="1h", show_default=True, help="Samples of the last TIME."
)
@click.option(
    "--query", metavar="SELECTOR", default="", help='Only of these series: {service_name="shop"}.'
)
@click.option(
    "--type", "kind", metavar="TYPE", default="cpu", show_default=True, help="Type of samples."
)
@click.option(
    "-n",
    "--limit",
    metavar="ROWS",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="At most so many files.",
)
@click.option("--json", "as_json", is_flag=True, help="The collector's answer, see docs/api.md.")
@_collector("read")
@_service_options.file("--tls-ca", _service_options.TLS_FILES["--tls-ca"].format("the collector's"))
def missing(
    last: str,
    query: str,
    kind: str,
    limit: int,
    as_json: bool,
    collector: str,
    token_file: Path | None,
    tls_ca: Path | None,
) -> None:
    """List files whose functions have no names, those that most samples are in first.

    ANY is the share of all samples that have such a function anywhere in their stack, SELF the
    share of those that were taken in such a function.

    \b
    ebprof symbols missing
    ebprof symbols missing --last 1d --collector https://profiles:8080 --token-file token
    ebprof symbols missing --query '{service_name="shop"}' --json
    """
    from ebprof import remote

    start = f"now-{max(1, round(parse_duration(last, 'time')))}s"
    given = {"type": kind, "query": query, "from": start, "limit": str(limit)}
    found = remote.ask(collector, _MISSING, given, remote.Access(token_file, tls_ca))
    try:
        lines = [json.dumps(found)] if as_json else [*_table(found, last)]
    except (KeyError, TypeError, ValueError):
        raise BadFileError(f"{collector} gives no list of files", "is it a collector?") from None
    for line in lines:
        print(line)


def _sender(collector: str, token_file: Path | None, **tls: Path | None) -> FileSender:
    from ebprof.agent.files import FileSender
    from ebprof.agent.sender import Sender, parse_url
    from ebprof.secret import read_token

    url = parse_url(collector)
    send, token = Sender(_service_options.tls_files(tls)), read_token(token_file)
    return FileSender(lambda path, body: send(url, body, token, path), collector)


def _named(files: Sequence[Path], *, recursive: bool) -> Iterator[Path]:
    from ebprof.agent.files import files_below

    for path in files:
        if not path.is_dir():
            yield path
        elif recursive:
            yield from files_below(path)
        else:
            raise UsageError(f"{path} is a directory", "give -r for all ELF files below it")


def _line(found: Outcome) -> str:
    from ebprof.agent.files import Result

    what = ", ".join(found.contents) or "no symbols"
    became = found.result.value
    if found.result == Result.SENT:
        became += f" {found.size / 1e6:.1f} MB"
    if found.reason:
        became += f": {found.reason}"
    parts = [found.identity, printable(str(found.path))]
    parts += [what] if found.identity else []
    notes = "".join(f" ({note})" for note in found.notes)
    return "  ".join(part for part in parts if part) + f": {became}{notes}"


def _code(found: Outcome) -> int:
    from ebprof.agent.files import Result

    codes = {Result.REFUSED: EXIT_BAD_FILE, Result.LATER: EXIT_FAILURE}
    return codes.get(found.result, 0)


def _table(found: dict[str, Any], last: str) -> Iterator[str]:
    total = found["total"]
    if not total:
        yield f"there are no samples of {found['type']} in the last {last}"
        return
    yield (
        f"{_share(found['self'], total)} of {found['type']} in the last {last} is in functions "
        f"without a name, {_share(found['nameless'], total)} has one in its stacks"
    )
    rows = [("ANY", "SELF", "BUILD ID", "FILE", "THE COLLECTOR HAS", "WHAT WOULD HELP")]
    rows += [_row(one, total) for one in found["rows"]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if len(rows) > 1 else ():
        numbers = (text.rjust(width) for text, width in zip(row[:2], widths[:2], strict=True))
        texts = (text.ljust(width) for text, width in zip(row[2:], widths[2:], strict=True))
        yield "  ".join((*numbers, *texts)).rstrip()


def _row(one: dict[str, Any], total: int) -> tuple[str, str, str, str, str, str]:
    held = [_NAMES.get(one[part], "DWARF") + name for part, name in _PARTS if one[part]]
    return (
        _share(one["nameless"], total),
        _share(one["self"], total),
        printable(one["build_id"][:_SHORT_ID]) or "-",
        printable(one["file"]),
        ", ".join(held) or "nothing",
        printable(one["help"]),
    )


def _share(value: int, total: int) -> str:
    return f"{100 * value / total:.1f} %"
