"""The documentation as a whole: it is complete, up to date, and leads nowhere wrong."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ebprof import commands, plugins
from scripts import docs
from tests import command_lines

ROOT = Path(__file__).parents[2]
NAMES = plugins.module_names(commands)
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(path for top in ("docs", "bench", "examples") for path in (ROOT / top).rglob("*.md")),
    ]
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^ {4}.*$|`[^`\n]+`", re.MULTILINE)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def links(path: Path) -> Iterator[str]:
    """Targets of the links and pictures of a page, without those into the web."""
    for target in LINK.findall(CODE.sub("", FENCED.sub("", path.read_text()))):
        if not target.startswith(("https://", "http://")):
            yield target


def anchors(path: Path) -> set[str]:
    """What the headings of a page can be linked by, as GitHub makes it."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in HEADING.findall(FENCED.sub("", path.read_text()))
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_the_help_text_of_today(name: str) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text()
    assert page == docs.renewed(page, name), "run `make docs`"


def test_the_help_text_is_that_of_a_terminal_of_100_columns() -> None:
    text = docs.help_text("profile")
    assert text.startswith("Usage: ebprof profile [OPTIONS]")
    assert 90 < max(map(len, text.splitlines())) <= docs.COLUMNS


def test_a_page_without_a_place_for_the_help_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"docs/report\.md needs one block"):
        docs.renewed("# ebprof report\n", "report")


def test_the_first_page_leads_to_every_page() -> None:
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert len(pages) > 10
    assert pages - set(links(ROOT / "README.md")) == set()


def leads_nowhere(path: Path, target: str) -> bool:
    """Whether a link of a page is one to nothing, or to something that is not here."""
    name, _, anchor = target.partition("#")
    page = (path.parent / name).resolve() if name else path
    if not page.exists() or not page.is_relative_to(ROOT):
        return True
    return bool(anchor) and anchor not in anchors(page)


def test_links_lead_to_something() -> None:
    found = [(path, target) for path in PAGES for target in links(path)]
    assert len(found) > 100
    wrong = [(path.name, target) for path, target in found if leads_nowhere(path, target)]
    assert wrong == []


@pytest.mark.parametrize("target", ["nowhere.md", "../../outside.md", "#no-such-heading"])
def test_a_link_to_nothing_is_found(target: str) -> None:
    assert leads_nowhere(ROOT / "README.md", target)
    assert not leads_nowhere(ROOT / "README.md", "CHANGELOG.md")


def test_links_and_anchors_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Which `-e`, and why?\n[a](b.md#c)\n[![p](p.png)](#d) `[x](y)` [w](https://w)\n"
        "\n    [x](y)\n\n```\n# no heading\n[x](y)\n```\n"
    )
    assert list(links(page)) == ["b.md#c", "p.png", "#d"]
    assert anchors(page) == {"which--e-and-why"}


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
PLACEHOLDERS = ("NAME", "PID")


def code_words(text: str) -> list[str]:
    """What stands in backquotes, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", FENCED.sub("", text))


def is_path(name: str) -> bool:
    """Whether a name is one of a file here: it says where, or of what kind it is."""
    is_ours = "/" in name.rstrip("/") or name.endswith(("/", ".py", ".c", ".h", ".md"))
    return is_ours and not name.startswith(("/", "-")) and not any(p in name for p in PLACEHOLDERS)


def find_file(name: str) -> list[Path]:
    """Files of that name, from the root, from the package, or anywhere in bpf/; may have a `*`."""
    tops = (ROOT, ROOT / "ebprof", ROOT / "ebprof" / "bpf")
    return [path for top in tops for path in top.glob(name.rstrip("/"))]


def test_files_that_the_architecture_names_exist() -> None:
    named = sorted(set(filter(is_path, code_words(ARCHITECTURE))))
    assert len(named) > 100
    assert [name for name in named if not find_file(name)] == []


def test_names_stand_where_the_architecture_says() -> None:
    said = set(re.findall(r"`([\w.]+)`(?:\s+in\s+|\s+\()`([\w/]+\.[\w.]+)`", ARCHITECTURE))
    assert len(said) > 100
    wrong = [(name, path) for name, path in sorted(said) if not stands_in(name, path)]
    assert wrong == []


def stands_in(name: str, path: str) -> bool:
    """Whether each part of a name is a word in files of that name."""
    text = "".join(one.read_text() for one in find_file(path))
    return all(re.search(rf"\b{part}\b", text) for part in name.split("."))


def test_all_names_of_the_architecture_are_in_the_code() -> None:
    sources = [p for kind in ("*.py", "*.[ch]", "*.js") for p in (ROOT / "ebprof").rglob(kind)]
    words = set(re.findall(r"\w+", "".join(path.read_text() for path in sources)))
    names = [one for one in code_words(ARCHITECTURE) if re.fullmatch(r"[A-Za-z_][\w.]*", one)]
    assert len(names) > 100
    parts = {part for one in names if not is_path(one) for part in one.split(".")}
    assert parts - words - {"make", "docs", *PLACEHOLDERS, "o"} == set()


COMMAND_LINE = re.compile(r"^\$ ebprof (\w+) (.*)$", re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "line"), COMMAND_LINE.findall((ROOT / "docs" / "tutorial.md").read_text() + "\n")
)
def test_the_program_understands_what_the_tutorial_types(name: str, line: str) -> None:
    words = list(itertools.takewhile(lambda word: word not in (">", "|"), shlex.split(line)))
    command = plugins.load(commands, name).command
    assert isinstance(command, click.Command)
    with command_lines.parsed(command, words):
        pass
