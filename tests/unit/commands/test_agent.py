"""`ebprof agent`: what the command line and the file say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebprof import cli
from ebprof.address import Address, UnixAddress
from ebprof.agent.options import AgentOptions
from ebprof.agent.services import Rule
from ebprof.commands import _config, agent
from ebprof.errors import EXIT_BAD_FILE, EXIT_USAGE, BadFileError
from tests import command_lines

URL = "http://127.0.0.1:9"
RULES = """
[[service]]
name = "checkout"
exe = "*/java"
command = "*checkout.jar*"
[[service]]
name = "web"
cgroup = "/web*"
"""


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
        (["--collector", URL, "--protocol", "grpc"], "unknown protocol: grpc"),
        (
            ["--collector", URL, "--protocol", "otlp", "--symbols", "collector"],
            "who takes --protocol otlp cannot name addresses in files",
        ),
        (["--collector", "https://x", "--tls-cert", "/c"], "belong together"),
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
    with command_lines.parsed(agent.command, words) as ctx:
        return agent._options(_config.given(ctx))


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(
        "collector = ['https://a:1']\nfrequency = 49\nspool = '/s'\nspool-size = 1\n"
        "node = 'n'\ntoken-file = '/t'\nlisten = '0.0.0.0:1'\ninsecure = true\ntls-ca = '/c'\n"
        "symbols = 'agent'\n"
    )
    found = parsed("--config", str(path), "--frequency", "99")
    assert found.collectors == ("https://a:1",)
    assert (found.frequency, found.spool, found.spool_bytes) == (99, Path("/s"), 1 << 20)
    assert (found.node, found.token_file, found.tls.ca) == ("n", Path("/t"), Path("/c"))
    assert found.listen == Address("0.0.0.0", 1)
    assert found.symbols == "agent"
    assert parsed("--collector", URL).frequency == 19
    assert parsed("--collector", URL).symbols == "collector"


@pytest.mark.parametrize("protocol", ["otlp", "pyroscope"])
def test_others_get_names_and_no_flows(protocol: str) -> None:
    found = parsed("--collector", URL, "--protocol", protocol)
    assert (found.symbols, found.has_traffic) == ("agent", False)
    ours = parsed("--collector", URL)
    assert (ours.symbols, ours.has_traffic) == ("collector", True)
    assert ours.fixed(found) == ["no-traffic", "protocol", "symbols"]


def test_a_socket_of_this_machine_needs_neither_token_nor_certificate(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text("token-file = '/t'\ntls-cert = '/c'\ntls-key = '/k'\n")
    found = parsed("--config", str(path), "--collector", "unix:/run/x", "--listen", "unix:/run/y")
    assert (found.token_file, found.tls.cert) == (None, None)
    assert found.listen == UnixAddress(Path("/run/y"))


def test_rules_are_read_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(RULES)
    assert parsed("--collector", URL, "--config", str(path)).rules == (
        Rule("checkout", exe="*/java", command="*checkout.jar*"),
        Rule("web", cgroup="/web*"),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("service = 1", "no list"),
        ("[service]\nname = 'x'", "no list"),
        ("[[service]]\nname = 'x'", "cannot read rule 1"),
        ("[[service]]\nexe = 'x'\ncomm = 'y'", "rule 1 has no name"),
        ("[[service]]\nname = 'x'\nport = '1'", "rule 1 has 'port'"),
        ("[[service]]\nname = 'x'\ncomm = 1", "cannot read rule 1"),
    ],
)
def test_rules_that_cannot_be_read(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    with pytest.raises(BadFileError, match=problem):
        parsed("--collector", URL, "--config", str(path))
