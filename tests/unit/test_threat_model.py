"""Every line of the threat model names tests, and they are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "decisions" / "0011-hostile-processes.md"
LINES = re.findall(r"^\| (.*) \| (.*) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)[1:]


@cache
def all_tests() -> frozenset[str]:
    """Names of all test functions."""
    names = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        if "node_modules" not in path.parts:
            tree = ast.parse(path.read_text())
            names |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return frozenset(names)


def test_there_are_lines() -> None:
    assert len(LINES) > 15


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0][:40])
def test_every_line_is_tested(line: tuple[str, str, str]) -> None:
    named = re.findall(r"`(test_\w+)`", line[2])
    assert named
    assert set(named) <= all_tests()
