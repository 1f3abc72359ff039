"""Options in a file: the same names and kinds as on the command line, which wins."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from ebprof.commands import _config, agent, collector, serve
from ebprof.errors import BadFileError, UsageError
from tests import command_lines

COLLECTOR = ("--collector", "http://a")


def context(command: click.Command, *words: str) -> click.Context:
    return command_lines.parsed(command, words)


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "ebprof.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return str(path)


def test_values_and_tables(tmp_path: Path) -> None:
    path = written(tmp_path, "frequency = 49\nspool = '/s'\n[[service]]\nname = 'x'\n")
    found = _config.given(context(agent.command, "--config", path))
    assert (found.values["frequency"], found.values["spool"]) == (49, Path("/s"))
    assert found.values["interval"] == "10s"
    assert found.tables == {"service": [{"name": "x"}]}
    assert found.config == Path(path)


def test_the_command_line_wins(tmp_path: Path) -> None:
    path = written(tmp_path, "frequency = 49\nretention = 'raw=9d'\n")
    words = ("--frequency", "19", f"--config={path}")
    assert _config.given(context(agent.command, *words)).values["frequency"] == 19
    words_of = ("--config", path, "--retention", "raw=8d")
    assert _config.given(context(collector.command, *words_of)).values["retention"] == "raw=8d"


def test_one_file_may_be_for_all(tmp_path: Path) -> None:
    path = written(tmp_path, "frequency = 49\nretention = 'raw=9d'\ndata = '/d'\n")
    of_serve = _config.given(context(serve.command, "--config", path)).values
    assert (of_serve["frequency"], of_serve["data"]) == (49, Path("/d"))
    of_collector = _config.given(context(collector.command, "--config", path)).values
    assert (of_collector["retention"], "frequency" in of_collector) == ("raw=9d", False)


def test_a_list_or_one_of_it(tmp_path: Path) -> None:
    for text in ("listen = ['[::1]:1', 'unix:/x']", "listen = '[::1]:1'"):
        found = _config.given(context(collector.command, "--config", written(tmp_path, text)))
        assert found.values["listen"][0] == "[::1]:1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = ", "cannot read"),
        ("\udcff", "cannot read"),
        ("frequency = 1\n\ncolector = []", r"ebprof.toml:3: unknown option 'colector'"),
        ("[frequencies]\nx = 1", r"ebprof.toml:1: unknown option 'frequencies'"),
        ("config = '/x'", "unknown option 'config'"),
        ("collector = [1]", "and not a list of str"),
        ("frequency = true", r"ebprof.toml:1: frequency is True, and not of type int"),
        ("frequency = '19'", "not of type int"),
        ("insecure = 'yes'", "not of type bool"),
        ("interval = 10", "not of type str"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(BadFileError, match=problem):
        context(agent.command, "--config", written(tmp_path, text))


def test_it_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path, "frequency = 49\n")
    ctx = context(agent.command, *COLLECTOR, "--config", path)
    written(tmp_path, "frequency = 50\ninterval = '5s'\n")
    assert _config.given(ctx).values["frequency"] == 49
    again = _config.reread(ctx)
    assert (again.values["frequency"], again.values["interval"]) == (50, "5s")
    written(tmp_path, "frequency = 0\n")
    with pytest.raises(UsageError, match="0 is not in the range"):
        _config.reread(ctx)
    written(tmp_path, "frequency = x\n")
    with pytest.raises(BadFileError):
        _config.reread(ctx)
