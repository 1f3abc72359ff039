"""`--config FILE`: options of a command as TOML, and tables that only a file can hold."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ebprof import commands, plugins
from ebprof.errors import BadFileError, UsageError, reason_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 1 << 20
SHARING = ("agent", "collector", "serve")
"""Commands that one file may be for: what is another's is checked, and left alone."""
_NOT_IN_FILES = {"config", "check", "help"}
_WORDS, _TABLES = f"{__name__}.words", f"{__name__}.tables"


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says and, where it says nothing, the file. tables: of the file."""

    values: Mapping[str, Any]
    tables: Mapping[str, Any]

    @property
    def config(self) -> Path | None:
        """The file."""
        path: Path | None = self.values["config"]
        return path


class ConfiguredCommand(click.Command):
    """A command whose options a file may give: the command line wins."""

    tables: tuple[str, ...] = ("service", "enricher")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words, with what the file says as defaults."""
        ctx.meta[_WORDS] = list(args)
        path = _path_in(args)
        values, ctx.meta[_TABLES] = _read(path, self) if path else ({}, {})
        ctx.default_map = {**(ctx.default_map or {}), **values}
        return super().parse_args(ctx, args)


def given(ctx: click.Context) -> Given:
    """What a command was given."""
    return Given(dict(ctx.params), ctx.meta[_TABLES])


def reread(ctx: click.Context) -> Given:
    """The same, with what the file says now; raises EbprofError."""
    try:
        with ctx.command.make_context(ctx.info_name, [*ctx.meta[_WORDS]]) as again:
            return given(again)
    except click.ClickException as error:
        raise UsageError(error.format_message()) from None


def _path_in(args: list[str]) -> Path | None:
    """The last `--config FILE` or `--config=FILE`."""
    found = None
    for number, word in enumerate(args):
        if word == "--config" and number + 1 < len(args):
            found = args[number + 1]
        elif word.startswith("--config="):
            found = word.partition("=")[2]
    return Path(found) if found else None


def _read(path: Path, command: click.Command) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES).decode()
        found = tomllib.loads(text)
    except OSError as error:
        raise BadFileError(f"cannot read {path}: {reason_of(error)}") from None
    except ValueError as error:
        raise BadFileError(f"cannot read {path}: {error}") from None
    tables = {name: found.pop(name) for name in ConfiguredCommand.tables if name in found}
    ours, known = _options(command), _all_options()
    for name, value in found.items():
        option = ours.get(name) or known.get(name)
        where = f"{path}:{_line_of(name, text)}"
        if option is None:
            names = ", ".join(sorted(known))
            raise BadFileError(f"{where}: unknown option {name!r}", f"there are {names}")
        _check(where, name, value, option)
    return {
        str(ours[one].name): _value(ours[one], found[one]) for one in found if one in ours
    }, tables


def _options(command: click.Command) -> dict[str, click.Option]:
    """Options by their names in a file."""
    named = ((max(one.opts, key=len)[2:], one) for one in command.params)
    return {
        name: one
        for name, one in named
        if isinstance(one, click.Option) and name not in _NOT_IN_FILES
    }


def _all_options() -> dict[str, click.Option]:
    found: dict[str, click.Option] = {}
    for name in SHARING:
        found |= _options(plugins.load(commands, name).command)
    return found


def _check(where: str, name: str, value: object, option: click.Option) -> None:
    kind = _kind(option)
    values = value if isinstance(value, list) and option.multiple else [value]
    kinds_allowed = (float, int) if kind is float else (kind,)
    if any(type(one) not in kinds_allowed for one in values):
        kinds = f"a list of {kind.__name__}" if option.multiple else f"of type {kind.__name__}"
        raise BadFileError(f"{where}: {name} is {value!r}, and not {kinds}")


def _value(option: click.Option, value: object) -> object:
    """One of a list may stand alone."""
    return [value] if option.multiple and not isinstance(value, list) else value


def _kind(option: click.Option) -> type:
    if option.is_flag:
        return bool
    if isinstance(option.type, click.types.FloatParamType):
        return float
    return int if isinstance(option.type, click.types.IntParamType) else str


def _line_of(name: str, text: str) -> int:
    """Where a key of the file stands, for messages; 1 if it is written in a way of its own."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"""\s*\[*\s*["']?{re.escape(name)}["']?\s*[\].=]""", line):
            return number
    return 1
