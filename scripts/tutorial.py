"""Runs the commands of docs/tutorial.md and writes what they print: `make tutorial`, as root.

A block ```console holds commands, each after `$ `, and what they print. All are run by one shell,
in an empty directory, in the order of the page. A block ```text after a comment
`<!-- screen 110x14: COMMAND; wait 5; key Down; key Enter; wait 2 -->` is what a terminal of that
size shows then. A comment `<!-- lines 4 -->` before a block keeps the first lines of what each of
its commands prints. What people wrote stays as it is.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
PROMPT = "$ "
MORE = "..."
COMMAND_S = 120.0

_BLOCK = re.compile(
    r"(?:^<!-- (?P<what>(?:lines|screen) [^\n]*) -->\n)?^```(?P<kind>console|text)\n"
    r"(?P<body>.*?)^```\n",
    re.MULTILINE | re.DOTALL,
)
_SCREEN = re.compile(r"screen (\d+)x(\d+): (.*)")
_HERE = re.compile(r"<<'?(\w+)'?")
_END = "\x01end of a command\x01"


class Shell:
    """A shell that runs one command after the other, and says what each prints."""

    def __init__(self, directory: Path) -> None:
        path = f"{ROOT}/.venv/bin:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "repository": str(ROOT), "NO_COLOR": "1"}
        self._directory = directory
        self._screens = 0
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=environment,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def run(self, command: str) -> list[str]:
        """The lines that a command prints."""
        assert self._shell.stdin and self._shell.stdout
        # A redirection of the shell's own input would be taken from what follows.
        end = f"_code=$?; echo '{_END}'; (exit $_code)"  # the next command may ask for $?
        print(f"{command}\n{end}", file=self._shell.stdin, flush=True)
        found: list[str] = []
        for line in self._shell.stdout:
            if line.endswith(f"{_END}\n"):
                found += filter(None, [line.removesuffix(f"{_END}\n")])
                return [self._told(one) for one in found]
            found.append(line.rstrip("\n"))
        raise SystemExit(f"the shell ended at: {command}")

    def close(self) -> None:
        """End it, and what it started."""
        self.run("kill $(jobs -p) 2>/dev/null; wait 2>/dev/null")
        assert self._shell.stdin
        self._shell.stdin.close()
        self._shell.wait(10)

    def screen(self, columns: int, rows: int, steps: list[str]) -> list[str]:
        """What a terminal shows after some steps: a command, then `wait S` and `key NAME`."""
        command, *then = steps
        expanded = self.run(f'printf "%s\\n" "{command}"')[-1]
        self._screens += 1
        tmux = ["tmux", "-u", "-S", str(self._directory / f".screen-{self._screens}")]
        size = ["-x", str(columns), "-y", str(rows)]
        start = [*tmux, "new-session", "-d", *size, "-c", str(self._directory), expanded]
        environment = {**os.environ, "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"}
        subprocess.run(start, check=True, env=environment)
        try:
            for step in then:
                word, value = step.split(maxsplit=1)
                if word == "wait":
                    time.sleep(float(value))
                else:
                    subprocess.run([*tmux, "send-keys", *shlex.split(value)], check=True)
            shown = subprocess.run(
                [*tmux, "capture-pane", "-p"], check=True, capture_output=True, text=True
            ).stdout
        finally:
            subprocess.run([*tmux, "kill-server"], check=False)
        return [line.rstrip() for line in shown.rstrip("\n").split("\n")]

    def _told(self, line: str) -> str:
        return line.replace(f"{self._directory}/", "").replace(str(ROOT), "$repository").rstrip()


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it stands on the page, with all of its lines."""

    text: str

    @property
    def words(self) -> str:
        """What the shell gets."""
        return self.text.removeprefix(PROMPT)


def commands(body: str) -> Iterator[Command]:
    """The commands of a block; what they printed the last time is left out."""
    lines = iter(body.split("\n"))
    for line in lines:
        if not line.startswith(PROMPT):
            continue
        found = [line]
        here = _HERE.search(line)
        while here or found[-1].endswith("\\"):
            found.append(next(lines))
            if here and found[-1] == here[1]:
                break
        yield Command("\n".join(found))


def renewed(page: str, shell: Shell) -> str:
    """The page with what its commands print now."""

    def renew(block: re.Match[str]) -> str:
        what, kind = block["what"] or "", block["kind"]
        head = f"<!-- {what} -->\n" if what else ""
        if kind == "text":
            screen = _SCREEN.fullmatch(what)
            if screen is None:
                return block[0]
            steps = [step.strip() for step in screen[3].split(";")]
            lines = shell.screen(int(screen[1]), int(screen[2]), steps)
        else:
            most = int(what.removeprefix("lines ")) if what.startswith("lines ") else None
            lines = [line for one in commands(block["body"]) for line in _run(one, shell, most)]
        return f"{head}```{kind}\n" + "".join(f"{line}\n" for line in lines) + "```\n"

    return _BLOCK.sub(renew, page)


def _run(command: Command, shell: Shell, most: int | None) -> list[str]:
    print(command.text, file=sys.stderr)
    printed = shell.run(command.words)
    if most is not None and len(printed) > most:
        printed = [*printed[:most], MORE]
    return [*command.text.split("\n"), *printed]


def main() -> None:
    """Renew the page."""
    with tempfile.TemporaryDirectory() as directory:
        shell = Shell(Path(directory))
        try:
            text = renewed(PAGE.read_text(), shell)
        finally:
            shell.close()
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
