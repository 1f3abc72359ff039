"""`ebprof completion` in the shells themselves, and what the program answers them."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from ebprof import output, plugins
from ebprof.commands.completion import SHELLS
from ebprof.comparison import reports
from ebprof.top.rows import PIVOTS, SORTS
from tests.forked import Forked
from tests.unit.screen.pty import Pty

ROOT = Path(__file__).parents[3]
SECONDS = 300
ENTRY_POINT = f"""#!{sys.executable}
import sys
from ebprof.cli import main
sys.exit(main())
"""
INTERACTIVE = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-i"),
}
LOADING = {
    "bash": 'eval "$(ebprof completion bash)"',
    "zsh": 'autoload -U compinit; compinit -u -D; eval "$(ebprof completion zsh)"',
    "fish": "ebprof completion fish | source",
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Where `ebprof` is on PATH, as pip would install it, and nothing of the user's is read."""
    script = tmp_path / "bin" / "ebprof"
    script.parent.mkdir()
    script.write_text(ENTRY_POINT)
    script.chmod(0o755)
    return {
        "PATH": f"{script.parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "HOME": str(tmp_path),
        "TERM": "dumb",
    }


class Shell:
    """An interactive shell on a terminal of its own; what it shows is `text`."""

    def __init__(self, name: str, environment: dict[str, str], terminal: Pty) -> None:
        self._terminal = terminal
        self.text = ""
        self._process = subprocess.Popen(
            ("setsid", "--ctty", *INTERACTIVE[name]),
            env=environment,
            stdin=terminal.inner,
            stdout=terminal.inner,
            stderr=terminal.inner,
        )

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._terminal.outer, keys.encode())

    def wait_for(self, text: str) -> None:
        """Until the text is shown; what was shown before counts no more."""
        end = time.monotonic() + SECONDS
        while text not in self.text:
            left = end - time.monotonic()
            assert left > 0, self.text
            if select.select([self._terminal.outer], [], [], left)[0]:
                self.text += os.read(self._terminal.outer, 1 << 16).decode(errors="replace")
        self.text = self.text.partition(text)[2]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[Shell]:
    """Each of the shells, which has loaded what `ebprof completion` prints."""
    with Pty(120, 30) as terminal:
        shell = Shell(request.param, environment, terminal)
        try:
            shell.type(f"{LOADING[request.param]}; echo is loa''ded\r")
            shell.wait_for("is loaded")
            yield shell
        finally:
            shell.close()


def offered(*words: str, shell: str = "bash") -> list[str]:
    """What the program answers for the last of the words, without the word's kind."""
    asked = {
        "_EBPROF_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    with (
        patch.dict(os.environ, asked),
        Forked("ebprof", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
    ):
        answer, said = process.communicate(timeout=SECONDS)
    assert (process.returncode, said) == (0, "")
    return [line.removeprefix("plain,") for line in answer.splitlines() if line]


def test_a_tab_completes_commands_options_values_and_files(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "unlike-any-other.folded").touch()
    shell.type(f"cd {tmp_path}; echo is th''ere\r")
    shell.wait_for("is there")
    shell.type("ebprof pro\t")
    shell.wait_for("profile")
    shell.type("--call-g\t")
    shell.wait_for("--call-graph")
    shell.type(" dw\t")
    shell.wait_for("dwarf")
    shell.type("-o unlike\t")
    shell.wait_for("unlike-any-other.folded")


def test_names_of_commands() -> None:
    assert offered("ebprof", "tr") == ["traffic"]
    assert {"profile", "completion", "doctor"} <= set(offered("ebprof", ""))


def test_names_of_commands_take_no_time() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ebprof"],
        cwd=ROOT,
        env={
            **os.environ,
            "_EBPROF_COMPLETE": "fish_complete",
            "COMP_WORDS": "ebprof p",
            "COMP_CWORD": "p",
        },
        capture_output=True,
        text=True,
    )
    assert done.stdout == "plain,profile\n"
    assert "ebprof.cli" in done.stderr
    assert "numpy" not in done.stderr
    assert "ebprof.commands.profile" not in done.stderr


@pytest.mark.parametrize("command", ["profile", "report"])
def test_formats(command: str) -> None:
    assert offered("ebprof", command, "-f", "''") == output.names()
    assert offered("ebprof", command, "--format", "sp") == ["speedscope"]


def test_values_of_other_options() -> None:
    assert offered("ebprof", "diff", "-f", "''") == plugins.names(reports)
    assert offered("ebprof", "diff", "--widths", "''") == ["A", "B"]
    assert offered("ebprof", "top", "--by", "''") == list(PIVOTS)
    assert offered("ebprof", "top", "-s", "''") == list(SORTS)
    assert offered("ebprof", "traffic", "-s", "retr") == ["retransmits"]
    assert offered("ebprof", "traffic", "--backend", "tp") == ["tp_btf"]
    assert offered("ebprof", "profile", "-e", "page-f") == ["page-faults"]
    assert offered("ebprof", "completion", "''") == list(SHELLS)


def test_lists_of_pivots_name_each_once() -> None:
    assert offered("ebprof", "traffic", "--by", "peer,p") == [
        "peer,process",
        "peer,port",
        "peer,pid",
        "peer,pod",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("profile", "-o"),
        ("profile", "--stats"),
        ("report",),
        ("flame",),
        ("diff", "old.pb.gz"),
        ("traffic", "--stats"),
    ],
    ids=" ".join,
)
def test_files(words: tuple[str, ...]) -> None:
    assert offered("ebprof", *words, "x") == ["file,x"]


@pytest.mark.parametrize("command", ["profile", "flame", "top"])
def test_what_follows_two_dashes_is_a_command_of_files(command: str) -> None:
    assert offered("ebprof", command, "--", "./ser") == ["file,./ser"]
    assert offered("ebprof", command, "--", "cc", "-f", "ta") == ["file,ta"]


def test_nothing_is_printed_while_a_line_is_typed() -> None:
    assert "--frequency" in offered("ebprof", "profile", "-e", "help", "--f")
    assert offered("ebprof", "no-such-command", "x") == []
