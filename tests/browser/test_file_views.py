"""What the file of a flame graph has beside the graph: views, and what hides functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ebprof.model import Frame, Location, Sample
from tests.browser.pages import ROWS
from tests.browser.test_flamegraph import Page
from tests.builders import DEMO, profile, stack

RECURSIVE = profile(
    stack("main;walk;walk;walk;leaf", 60),
    stack("main;walk;log;write_[k]", 10),
    stack("main;log;write_[k]", 30),
)


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Page:
    return Page(browser, RECURSIVE, tmp_path)


def press(page: Page, text: str) -> None:
    """A button of the tools, by the beginning of its text."""
    buttons = page.browser.find_elements("css selector", ".graph button")
    next(one for one in buttons if one.text.startswith(text)).click()


def clear(page: Page) -> None:
    """Search for nothing, as a person does it."""
    page.by_id("search").send_keys("\ue009a", "\ue017")  # Control A, Delete


def rows(page: Page, table: str = ".functions") -> dict[str, list[str]]:
    """Cells by function."""
    return {row[0]: row[1:3] for row in page.browser.execute_script(ROWS, table)}


def test_a_function_that_calls_itself_counts_once(page: Page) -> None:
    press(page, "table")
    assert rows(page) == {
        "leaf": ["60.00%", "60.00%"],
        "write": ["40.00%", "40.00%"],
        "walk": ["0.00%", "70.00%"],
        "main": ["0.00%", "100.00%"],
        "demo": ["0.00%", "100.00%"],
        "log": ["0.00%", "40.00%"],
    }


def test_callers_and_callees(page: Page) -> None:
    press(page, "table")
    press(page, "write")
    lists = page.browser.find_elements("css selector", ".neighbours table")
    assert [one.text for one in lists] == ["100.00% log", ""]
    press(page, "log")
    lists = page.browser.find_elements("css selector", ".neighbours table")
    assert lists[0].text.split("\n") == ["75.00% main", "25.00% walk"]


def test_bottom_up_begins_where_stacks_end(page: Page) -> None:
    press(page, "bottom-up")
    assert page.chart.get_attribute("data-layout") == "icicle"
    page.search("/^log$/")
    assert page.text("matched") == "40.00% matched"
    page.keys("n")
    page.keys("\ue007")  # Enter
    assert page.zoom == "log"
    page.search("walk")
    assert page.text("matched") == "25.00% matched"


def test_hidden_functions_are_their_callers(page: Page) -> None:
    page.search("/^write$/")
    page.keys("n", "h")
    press(page, "table")
    clear(page)
    assert rows(page)["log"] == ["40.00%", "40.00%"]
    assert "write" not in rows(page)
    press(page, "hidden: write")
    assert rows(page)["log"] == ["0.00%", "40.00%"]


def test_stacks_through_a_function_are_left_out(page: Page) -> None:
    page.search("/^leaf$/")
    page.keys("n", "x")
    press(page, "table")
    clear(page)
    assert rows(page)["write"] == ["100.00%", "100.00%"]
    assert "leaf" not in rows(page)


def test_focus_and_recursion(page: Page) -> None:
    page.search("/^walk$/")
    page.keys("n", "f")
    press(page, "merge recursion")
    press(page, "table")
    clear(page)
    assert rows(page)["walk"] == ["0.00%", "100.00%"]
    assert rows(page)["leaf"] == ["85.71%", "85.71%"]
    assert "main" not in rows(page)


def test_modules_and_only_matches(page: Page) -> None:
    press(page, "modules")
    page.search("kernel")
    assert page.text("matched") == "40.00% matched"
    press(page, "only matches")
    assert page.text("matched") == "100.00% matched"


def test_files_stand_for_functions(browser: Any, tmp_path: Path) -> None:
    paths = {"main": "app.cpp", "run": "app.cpp", "fft": "math/fft.cpp", "memcpy": ""}

    def locations(text: str) -> tuple[Location, ...]:
        return tuple(
            Location(number, DEMO, (Frame(name, paths[name], 7),))
            for number, name in enumerate(text.split(";"))
        )

    samples = [
        Sample(1, 1, "worker", locations("fft;run;main"), "complete", 3),
        Sample(1, 1, "worker", locations("memcpy;run;main"), "complete", 1),
    ]
    page = Page(browser, profile(*samples), tmp_path)
    press(page, "files")
    page.search("fft.cpp")
    assert page.text("matched") == "75.00% matched"
    page.search("app.cpp")
    page.keys("n")
    assert page.chart.get_attribute("data-selected") == "app.cpp"
    page.search("demo")
    assert page.text("matched") == "25.00% matched"


@pytest.mark.parametrize(
    ("pattern", "listed"),
    [
        ("main", ["main"]),
        ("*", ["leaf", "log", "main", "walk", "write"]),
        ("*l*", ["leaf", "log", "walk"]),
        ("w*e", ["write"]),
        ("wr*ite", ["write"]),
        ("wri*rite", []),
        ("*a*a*", []),
    ],
)
def test_stars_in_lists_stand_for_anything(page: Page, pattern: str, listed: list[str]) -> None:
    script = """
        const isOne = $module_texts.isListed([arguments[0]]);
        return ["leaf", "log", "main", "walk", "write"].filter(isOne);
    """
    assert page.browser.execute_script(script, pattern) == listed
