"""Writes what pages of commands say of `--help`: `python -m scripts.docs`, or `make docs`."""

from __future__ import annotations

import io
import os
import re
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import patch

import click

from ebprof import cli, commands, plugins

DOCS = Path(__file__).parents[1] / "docs"
COLUMNS = 100
BEGIN = "<!-- `make docs` writes what follows, up to the next comment. -->"
END = "<!-- end of the help text -->"
_BLOCK = re.compile(f"^{re.escape(BEGIN)}\n.*?^{re.escape(END)}\n", re.MULTILINE | re.DOTALL)


def help_text(name: str, *below: str) -> str:
    """What `ebprof NAME --help` prints on a terminal of COLUMNS columns; below: of its commands."""
    printed = io.StringIO()
    with patch.dict(os.environ, COLUMNS=str(COLUMNS)), redirect_stdout(printed):
        cli.ebprof.main([name, *below, "--help"], prog_name="ebprof", standalone_mode=False)
    return printed.getvalue()


def block(name: str) -> str:
    """The part of the page of a command that is generated, with its comments."""
    command = plugins.load(commands, name).command
    below = sorted(command.commands) if isinstance(command, click.Group) else []
    texts = [help_text(name), *(help_text(name, one) for one in below)]
    return f"{BEGIN}\n```text\n{chr(10).join(texts)}```\n{END}\n"


def without_block(page: str) -> str:
    """What people wrote of a page."""
    return _BLOCK.sub("", page)


def renewed(page: str, name: str) -> str:
    """The page with the block as it has to be; raises ValueError for a page that has none."""
    text, count = _BLOCK.subn(lambda _: block(name), page)
    if count != 1:
        raise ValueError(f"docs/{name}.md needs one block between these lines:\n{BEGIN}\n{END}")
    return text


def main() -> None:
    """Renew the pages of all commands."""
    for name in plugins.module_names(commands):
        path = DOCS / f"{name}.md"
        path.write_text(renewed(path.read_text(), name))


if __name__ == "__main__":
    main()
