"""The flame graph's page with two profiles in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ebprof.comparison import Comparison, compare
from ebprof.comparison.ranking import View
from ebprof.comparison.reports import flamegraph
from ebprof.comparison.tree import plant
from ebprof.output import _tree
from tests.browser.test_flamegraph import PADDING
from tests.builders import profile, stack

BEFORE = profile(stack("main;parse;scan", 50), stack("main;run;fft", 40), stack("main;gone", 10))
AFTER = profile(stack("main;parse;scan", 100), stack("main;run;fft", 20), stack("main;new", 80))


class Page:
    """A differential flame graph in the browser."""

    def __init__(self, browser: Any, comparison: Comparison, view: View, directory: Path) -> None:
        path = directory / "diff.html"
        with path.open("wb") as file:
            flamegraph.write(comparison, view, file)
        self.browser = browser
        self.tree = plant(comparison, view.widths).tree
        browser.get(path.as_uri())
        self.chart = browser.find_element("css selector", ".chart")

    def text(self, name: str) -> str:
        element = self.browser.find_element("css selector", f"#{name}, .{name}")
        return str(self.browser.execute_script("return arguments[0].innerText", element))

    def place(self, name: str) -> tuple[int, int]:
        """Inside the first box of a function, right of its label."""
        node = next(one for one in _tree.walk(self.tree) if one.function.name == name)
        row = int(self.chart.get_attribute("data-row-height"))
        size = self.chart.size
        x = (node.start + 0.9 * node.count) / self.tree.total * size["width"]
        return int(x), int(size["height"] - PADDING - (node.depth + 1.5) * row)

    def detail(self, name: str) -> list[str]:
        from selenium.webdriver import ActionChains

        x, y = self.place(name)
        size = self.chart.size
        x, y = x - size["width"] // 2, y - size["height"] // 2
        ActionChains(self.browser).move_to_element_with_offset(self.chart, x, y).perform()
        return self.text("detail").split("\n")

    def pixel(self, name: str) -> tuple[int, int, int]:
        script = """
            const [x, y, done] = arguments;
            setTimeout(() => requestAnimationFrame(() => {
                const pixels = document.querySelector(".chart").getContext("2d");
                done([...pixels.getImageData(x, y, 1, 1).data].slice(0, 3));
            }), 100);
        """
        red, green, blue = self.browser.execute_async_script(script, *self.place(name))
        return red, green, blue


def test_header_and_legend_explain_what_is_compared(browser: Any, tmp_path: Path) -> None:
    page = Page(browser, compare(BEFORE, AFTER, ("old", "new")), View(), tmp_path)
    assert page.text("title") == "cpu-clock: A to B, differential flame graph"
    assert page.text("summary").split("\n") == [
        "A: old, 100 samples, 1.0 s, 0.10 cores",
        "B: new, 200 samples, 1.0 s, 0.20 cores",
    ]
    legend = page.text("legend").split("\n")
    assert legend[0] == "from A to B, percentage points of all samples:"
    assert legend[1:3] == ["shrank", "-10"] and legend[-2:] == ["+10", "grew"]


def test_hover_tells_both_shares_and_the_change(browser: Any, tmp_path: Path) -> None:
    page = Page(browser, compare(BEFORE, AFTER), View(), tmp_path)
    assert page.detail("run")[:4] == [
        "run",
        "A 40.00% (40 samples)",
        "B 10.00% (20 samples)",
        "-30.00 points",
    ]
    assert page.detail("new")[3:5] == [
        "+40.00 points, no such stack in A",
        "self A 0.00% (0 samples) → B 40.00% (80 samples): +40.00 points",
    ]
    assert page.detail("main")[3] == "0.00 points"


def test_hover_tells_quantities_where_they_are_compared(browser: Any, tmp_path: Path) -> None:
    before, after = (replace(one, event="faults", unit="count") for one in (BEFORE, AFTER))
    page = Page(browser, compare(before, after, is_absolute=True), View(widths="A"), tmp_path)
    assert page.detail("scan")[3] == "+50 samples (+100.0%)"
    assert page.detail("gone")[3] == "-10 samples (-100.0%), no such stack in B"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_red_grew_and_blue_shrank(scheme: str, browser: Any, tmp_path: Path) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page = Page(browser, compare(BEFORE, AFTER), View(), tmp_path)
    new, run, main = (page.pixel(name) for name in ("new", "run", "main"))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert new[0] > new[2] + 60
    assert run[2] > run[0] + 60
    assert max(main) - min(main) < 15


def test_search_keeps_the_change_in_sight(browser: Any, tmp_path: Path) -> None:
    page = Page(browser, compare(BEFORE, AFTER), View(), tmp_path)
    before, main = page.pixel("fft"), page.pixel("main")
    browser.find_element("id", "search").send_keys("fft")
    assert page.text("matched") == "10.00% matched"
    assert page.pixel("fft") == before
    assert page.pixel("main") != main
