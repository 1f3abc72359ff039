"""What `ebprof serve` tells its children: what it was told, and where they meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ebprof import cli
from ebprof.commands import agent, collector
from ebprof.errors import EXIT_BAD_FILE
from ebprof.serving import children
from tests import command_lines


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was handed to the children at the last call."""
    found: dict[str, Any] = {}

    def serve(
        data: Path, of_collector: list[str], of_agent: list[str], *_: Any, **rest: Any
    ) -> None:
        found.update(data=data, collector=of_collector, agent=of_agent, **rest)

    monkeypatch.setattr(children, "serve", serve)
    return found


def run(*words: str) -> None:
    cli.ebprof.main(["serve", *words], prog_name="ebprof", standalone_mode=False)


def test_each_is_told_what_it_knows(told: dict[str, Any]) -> None:
    run("--frequency", "49", "--no-traffic", "--retention", "raw=2d", "--insecure", "--data", "/d")
    assert told["data"] == Path("/d")
    listen = ["--listen", "127.0.0.1:8080"]
    assert told["collector"] == [*listen, "--retention", "raw=2d", "--insecure"]
    assert told["agent"] == ["--frequency", "49", "--no-traffic", "--insecure"]
    assert told["is_configured"] is False


def test_an_option_that_is_given_twice_is_told_twice(told: dict[str, Any]) -> None:
    run("--allow-host", "a.example", "--allow-host", "b.example")
    allowed = ["--allow-host", "a.example", "--allow-host", "b.example"]
    assert told["collector"] == ["--listen", "127.0.0.1:8080", *allowed]
    assert told["agent"] == []


def test_what_is_not_given_is_left_to_them_and_to_the_file(
    told: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "serve.toml"
    path.write_text("listen = '127.0.0.1:1'\nfrequency = 49\nretention = 'raw=2d'\ndata = '/d'\n")
    run("--config", str(path))
    assert told["data"] == Path("/d") and told["is_configured"] is True
    assert told["agent"] == ["--config", str(path)]
    assert told["collector"] == ["--listen", "127.0.0.1:1", "--config", str(path)]


def test_both_understand_it(told: dict[str, Any], tmp_path: Path) -> None:
    cert = [f"--tls-{name}" for name in ("cert", "key", "ca")]
    words = [word for name in cert for word in (name, "/x")]
    run("--token-file", "/t", "--node", "n", "--spool-size", "9", "--cpu-budget", "2", *words)
    of_agent = ["--collector", "unix:/c", *told["agent"]]
    with command_lines.parsed(agent.command, of_agent) as ctx:
        assert (ctx.params["node"], ctx.params["spool_size"], ctx.params["cpu_budget"]) == (
            "n",
            9,
            2.0,
        )
    with command_lines.parsed(collector.command, told["collector"]) as ctx:
        assert ctx.params["token_file"] == ctx.params["tls_ca"].with_name("t") == Path("/t")


def test_a_file_with_an_error_starts_nobody(
    told: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "serve.toml"
    path.write_text("\ncolour = 'red'\n")
    with pytest.raises(SystemExit) as caught:
        cli.main(["serve", "--config", str(path)])
    assert caught.value.code == EXIT_BAD_FILE and not told
    assert f"{path}:2: unknown option 'colour'" in capsys.readouterr().err
