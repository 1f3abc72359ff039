"""The agent's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebprof.agent.config import Config, read
from ebprof.agent.services import Rule
from ebprof.errors import BadFileError

GOOD = """
collector = ["http://a:8080", "http://b:8080"]
interval = "5s"
frequency = 49
spool-size = 64
[[service]]
name = "checkout"
exe = "*/java"
command = "*checkout.jar*"
[[service]]
name = "web"
cgroup = "/web*"
"""


def test_options_and_rules(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(GOOD)
    found = read(path)
    assert found.values == {
        "collector": ["http://a:8080", "http://b:8080"],
        "interval": "5s",
        "frequency": 49,
        "spool-size": 64,
    }
    assert found.rules == (
        Rule("checkout", exe="*/java", command="*checkout.jar*"),
        Rule("web", cgroup="/web*"),
    )


def test_without_a_file() -> None:
    assert read(None) == Config()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = ", "cannot read"),
        ("\udcff", "cannot read"),
        ("colector = []", "unknown option 'colector'"),
        ("collector = 'http://a'", "no list"),
        ("collector = [1]", "no list"),
        ("frequency = true", "no int"),
        ("frequency = '19'", "no int"),
        ("service = 1", "no list"),
        ("[service]\nname = 'x'", "no list"),
        ("[[service]]\nname = 'x'", "rule 1"),
        ("[[service]]\nexe = 'x'\ncomm = 'y'", "rule 1 has no name"),
        ("[[service]]\nname = 'x'\nport = '1'", "rule 1"),
        ("[[service]]\nname = 'x'\ncomm = 1", "rule 1"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "agent.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadFileError, match=problem):
        read(path)
