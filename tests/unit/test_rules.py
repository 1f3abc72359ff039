"""Rules of the house that no linter knows: pages and examples, sizes, where tests are."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import click
import pytest

from ebprof import commands, plugins
from ebprof.abi import STOP_REASONS
from ebprof.sampling.statistics import ALL_COUNTERS, SampledFigures
from ebprof.watch.ledger import Ledger
from scripts.docs import without_block

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ebprof"
DOCS = ROOT / "docs"
EXAMPLE = r"^(?:.* )?ebprof {} .*\w"
MAX_LINES = 500
COMMANDS = plugins.module_names(commands)
MODULES = sorted(PACKAGE.rglob("*.py"))
UNIT_TESTS = ROOT / "tests" / "unit"
PLACES = sorted({path.parent for path in UNIT_TESTS.rglob("test_*.py")})

BPF_SOURCES = sorted((PACKAGE / "bpf").glob("*.bpf.[ch]"))
ABI = sorted((PACKAGE / "bpf").glob("*abi.h"))
OF_ONE_LOADER = ("core.bpf.h", "bcc.bpf.h")


def command(name: str) -> click.Command:
    found = plugins.load(commands, name)
    assert found is not None
    assert isinstance(found.command, click.Command)
    return found.command


def options(name: str) -> list[click.Option]:
    found = command(name)
    below = found.commands.values() if isinstance(found, click.Group) else ()
    params = [one for each in (found, *below) for one in each.params]
    return [one for one in params if isinstance(one, click.Option)]


def page(name: str) -> str:
    """What people wrote of a page, without its copy of the help text."""
    return without_block((DOCS / f"{name}.md").read_text())


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def table_column(text: str, heading: str) -> dict[str, str]:
    """Second column by first, of the table below a heading; the first stands in backquotes."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|", section, re.MULTILINE))


def field_names(dataclass: type) -> Iterator[str]:
    """Fields as JSON has them, nested ones with dots."""
    types = get_type_hints(dataclass)
    for field in fields(dataclass):
        if is_dataclass(types[field.name]):
            yield from (f"{field.name}.{inner}" for inner in field_names(types[field.name]))
        else:
            yield field.name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name: str) -> None:
    text = inspect.cleandoc(command(name).help or "")
    assert len(re.findall(EXAMPLE.format(name), text, re.MULTILINE)) >= 2


def test_commands_below_others_have_help_with_examples_too() -> None:
    groups = {name: found for name in COMMANDS if isinstance(found := command(name), click.Group)}
    assert set(groups) == {"symbols"}
    for name, group in groups.items():
        for below, one in group.commands.items():
            text = inspect.cleandoc(one.help or "")
            assert len(re.findall(EXAMPLE.format(f"{name} {below}"), text, re.MULTILINE)) >= 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    assert [one.name for one in options(name) if not one.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page_with_examples_and_exit_codes(name: str) -> None:
    text = page(name)
    assert text.startswith(f"# ebprof {name}\n")
    assert len(re.findall(EXAMPLE.format(name), text, re.MULTILINE)) >= 2
    assert "\n## Exit codes\n" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_on_the_page_or_on_the_one_it_refers_to(name: str) -> None:
    text = page(name) + (page("profile") if "(profile.md)" in page(name) else "")
    for option in options(name):
        long = max(option.opts, key=len)
        assert f"`{long}" in text, long


def test_the_page_explains_every_stop_reason_as_the_program_does() -> None:
    explained = table_column(page("profile"), "Stop reasons")
    assert explained == {reason.name: reason.help for reason in STOP_REASONS}


def test_the_page_explains_every_counter_as_the_program_does() -> None:
    explained = table_column(page("profile"), "Counters")
    assert explained == {counter.name: counter.help for counter in ALL_COUNTERS}


def test_the_page_explains_every_field_of_the_statistics() -> None:
    fields_of_run = {*field_names(SampledFigures), *field_names(Ledger)} - {"subject"}
    assert set(table_column(page("profile"), "Statistics")) == fields_of_run


def test_the_page_tells_what_is_lost_from_what_is_only_counted() -> None:
    section = page("profile").split("\n## Counters\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (yes|no) \|", section, re.MULTILINE)
    assert {name for name, loss in rows if loss == "yes"} == {
        counter.name for counter in ALL_COUNTERS if counter.is_loss
    }


def test_no_module_is_too_long() -> None:
    lengths = {module_name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_unit_tests_stand_where_what_they_test_does() -> None:
    assert len(PLACES) > 10
    places = [path.relative_to(UNIT_TESTS) for path in PLACES]
    assert [place for place in places if not (PACKAGE / place).is_dir()] == []


@pytest.mark.parametrize("path", BPF_SOURCES, ids=lambda path: path.name)
def test_sources_declare_maps_and_variables_in_a_way_that_both_loaders_take(path: Path) -> None:
    """By the macros of core.bpf.h and bcc.bpf.h: what bcc compiles is told where they are."""
    if path.name in OF_ONE_LOADER:
        return
    text = path.read_text()
    own = re.findall(
        r"^(?:static |const |volatile )+\w[^()]*;|SEC\(\"\.maps\"\)", text, re.MULTILINE
    )
    assert not own


@pytest.mark.parametrize("path", [*BPF_SOURCES, *ABI], ids=lambda path: path.name)
def test_nothing_else_has_the_name_of_a_map_or_variable(path: Path) -> None:
    """For bcc these names are macros, in structs too."""
    declared = (
        r"\b(?:MAP\(|(?:MAP_LIKE|SETTING|VARIABLE)\([\w ]+, |VARIABLE_IN\([^,]+, [\w ]+, )(\w+)"
    )
    names = {name for one in BPF_SOURCES for name in re.findall(declared, one.read_text())}
    names -= {"name"}
    assert {"counters", "rules", "want_user", "other", "flows_0"} <= names
    locals_ = re.findall(
        r"\b(?:u?int\d*_t|bool|void|char|int|struct \w+) \*?(\w+)(?=[,;)= ])", path.read_text()
    )
    assert not names & {*locals_}
