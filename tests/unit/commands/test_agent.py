"""`ebprof agent`: what the command line and the file say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebprof import cli
from ebprof.agent.options import AgentOptions
from ebprof.commands import agent
from ebprof.errors import EXIT_BAD_FILE, EXIT_USAGE

URL = "http://127.0.0.1:9"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(["agent", *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "no collector"),
        (["--collector", "x"], "cannot read URL 'x'"),
        (["--collector", URL, "--interval", "0.5s"], "not between 1s and 1h"),
        (["--collector", URL, "--interval", "x"], "cannot read interval"),
        (["--collector", URL, "--listen", "0.0.0.0:9099"], "can be reached by others"),
        (["--collector", URL, "--listen", "x"], "cannot read address"),
    ],
)
def test_usage(words: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == EXIT_USAGE
    assert problem in capsys.readouterr().err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--config", "/nowhere/x.toml") == EXIT_BAD_FILE
    assert "cannot read /nowhere/x.toml" in capsys.readouterr().err


def parsed(*words: str) -> AgentOptions:
    """The options that a command line comes to."""
    from ebprof.agent.config import read

    with agent.command.make_context("agent", list(words)) as ctx:
        given = dict(ctx.params)
        config, _ = given.pop("config"), given.pop("symbols")
        return agent._options(ctx, read(config), given)


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(
        "collector = ['http://a:1']\nfrequency = 49\nspool = '/s'\nspool-size = 1\n"
        "node = 'n'\ntoken-file = '/t'\nlisten = '0.0.0.0:1'\ninsecure = true\n"
    )
    found = parsed("--config", str(path), "--frequency", "99")
    assert found.collectors == ("http://a:1",)
    assert (found.frequency, found.spool, found.spool_bytes) == (99, Path("/s"), 1 << 20)
    assert (found.node, found.token_file, found.listen.port) == ("n", Path("/t"), 1)
    assert parsed("--collector", URL).frequency == 19
