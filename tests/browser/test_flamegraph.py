"""The flame graph's page, used as a reader uses it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ebprof.model import Profile
from ebprof.output import _tree, flamegraph, pprof
from tests.builders import HOSTILE, example, profile, stack
from tests.unit.output.built import wall

PADDING = 4


class Page:
    """A flame graph in the browser, and where its boxes are."""

    def __init__(self, browser: Any, one: Profile, directory: Path) -> None:
        path = directory / "flame.html"
        with path.open("wb") as file:
            flamegraph.write(one, file)
        self.browser = browser
        self.tree = _tree.build(one)
        self.browser.get(path.as_uri())
        self.chart = self.by_id("chart")

    def by_id(self, name: str) -> Any:
        return self.browser.find_element("css selector", f"#{name}, .{name}")

    def text(self, name: str) -> str:
        return str(self.browser.execute_script("return arguments[0].innerText", self.by_id(name)))

    def search(self, text: str) -> None:
        self.by_id("search").clear()
        self.by_id("search").send_keys(text)

    def keys(self, *keys: str) -> None:
        self.chart.send_keys(*keys)

    def place(self, name: str, *, is_icicle: bool = False) -> tuple[int, int]:
        """The centre of the first box of a function while nothing is zoomed."""
        node = next(one for one in _tree.walk(self.tree) if one.function.name == name)
        row = int(self.chart.get_attribute("data-row-height"))
        x = (node.start + node.count / 2) / self.tree.total * self.chart.size["width"]
        y = PADDING + (node.depth + 1.5) * row
        return int(x), int(y if is_icicle else self.chart.size["height"] - y)

    def point(self, place: tuple[int, int], *, click: bool = False) -> None:
        from selenium.webdriver import ActionChains

        size = self.chart.size
        x, y = place[0] - size["width"] // 2, place[1] - size["height"] // 2
        actions = ActionChains(self.browser).move_to_element_with_offset(self.chart, x, y)
        (actions.click() if click else actions).perform()

    @property
    def zoom(self) -> str:
        return str(self.chart.get_attribute("data-zoom"))

    @property
    def selected(self) -> str:
        return str(self.chart.get_attribute("data-selected"))

    def pixel(self, place: tuple[int, int]) -> list[int]:
        """Red, green and blue of the painted chart, once animations have ended."""
        script = """
            const [x, y, done] = arguments;
            setTimeout(() => requestAnimationFrame(() => {
                const pixels = document.querySelector(".chart").getContext("2d");
                done([...pixels.getImageData(x, y, 1, 1).data].slice(0, 3));
            }), 400);
        """
        return list(self.browser.execute_async_script(script, *place))


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Callable[[Profile], Page]:
    return lambda one: Page(browser, one, tmp_path)


@pytest.fixture
def page(open_page: Callable[[Profile], Page]) -> Page:
    return open_page(example())


def test_header_says_event_samples_duration_and_stop_reasons(page: Page) -> None:
    assert page.text("title") == "cpu-clock flame graph: 0.40 cores"
    assert page.text("summary").startswith("398 samples, 3.98 s · over 10 s")
    assert page.text("stops").split("\n") == [
        "complete 90.45%",
        "no_row 5.03%",
        "no_user_stack 4.52%",
    ]
    assert "kernel" in page.text("legend") and "JIT" in page.text("legend")
    assert page.text("comments") == "ebprof profile -p 1"


def test_values_of_a_sample_type_have_their_unit(open_page: Callable[[Profile], Page]) -> None:
    page = open_page(pprof.read(io.BytesIO(wall().bytes())))
    assert page.text("title") == "wall flame graph"
    assert page.text("summary") == "1.50s"
    page.point(page.place("read"))
    assert "100.00%" in page.text("detail-count") and "(1.50s)" in page.text("detail-count")


def test_search_says_the_matched_share(page: Page) -> None:
    page.search("FFT")
    assert page.text("matched") == "40.20% matched"
    page.search("main")  # twice on each stack of demo, which counts once
    assert page.text("matched") == "82.91% matched"
    page.search("/^re.d$/")
    assert page.text("matched") == "13.82% matched"
    page.search("no such function")
    assert page.text("matched") == "0.00% matched"


def test_search_marks_matches(page: Page) -> None:
    before = page.pixel(page.place("malloc")), page.pixel(page.place("lost"))
    page.search("malloc")
    red, green, blue = page.pixel(page.place("malloc"))
    assert min(red, blue) > green + 30
    assert page.pixel(page.place("lost")) != before[1]
    page.keys("\ue00c")  # Escape
    assert page.text("matched") == ""
    assert page.pixel(page.place("malloc")) == before[0]


def test_a_broken_expression_is_said_to_be_one(page: Page) -> None:
    page.search("/(/")
    assert page.by_id("search").get_attribute("aria-invalid") == "true"
    assert page.text("matched") == "no regular expression"


def test_click_zooms_and_reset_goes_back(page: Page) -> None:
    assert not page.by_id("reset").is_enabled()
    whole = page.pixel(page.place("malloc"))
    page.point(page.place("parse"), click=True)
    assert page.zoom == "parse"
    _, y = page.place("malloc")
    right = page.chart.size["width"] - 8
    assert page.pixel((right, y)) == whole  # malloc, all that parse calls, is full width now
    page.by_id("reset").click()
    assert page.zoom == "all"
    assert page.pixel((right, y)) != whole


def test_matched_share_is_that_of_the_zoom(page: Page) -> None:
    page.point(page.place("run(int)"), click=True)
    page.search("fft")
    assert page.text("matched") == "58.18% matched"


def test_icicle_has_the_root_on_top(page: Page) -> None:
    assert page.chart.get_attribute("data-layout") == "flame"
    page.by_id("layout").click()
    assert page.chart.get_attribute("data-layout") == "icicle"
    page.point(page.place("run(int)", is_icicle=True), click=True)
    assert page.zoom == "run(int)"
    page.keys("0")
    page.keys("i")
    page.point(page.place("parse"), click=True)
    assert (page.chart.get_attribute("data-layout"), page.zoom) == ("flame", "parse")


def test_hover_tells_all_about_a_frame(page: Page) -> None:
    page.point(page.place("step"))
    detail = page.text("detail")
    assert detail.split("\n") == [
        "step",
        "55.28% (220 samples, 2.20 s)",
        "/src/demo.c:4 · demo",
        "user, inlined",
    ]
    page.point(page.place("copy_user"))
    assert "self 13.82% (55 samples, 550 ms)" in page.text("detail")
    assert "kernel" in page.text("detail")
    page.point((5, 5))
    assert not page.by_id("detail").is_displayed()


def test_keys(page: Page) -> None:
    up, left, down, enter = "\ue013", "\ue012", "\ue015", "\ue007"
    page.keys(up)
    assert page.selected == "all"
    page.keys(up, up)
    assert page.selected == "_start"
    page.keys(down, left)
    assert page.selected == "a;b"
    page.keys(up, up, enter)
    assert page.zoom == HOSTILE.replace("\x1b", "?").replace("\n", "?").replace("\udc80", "?")
    page.keys("\ue003")  # Backspace
    assert page.zoom == "main"
    page.keys("0")
    assert page.zoom == "all"
    page.keys("/")
    assert page.browser.switch_to.active_element == page.by_id("search")
    page.search("ksys" + enter)
    assert page.selected == "ksys_read"


def test_hostile_names_do_not_run(open_page: Callable[[Profile], Page]) -> None:
    markup = "<img src=x onerror=\"document.title='x'\"></script><!--<script>document.title='x'//"
    hostile = stack("main", comm=HOSTILE + markup, stop=markup)
    page = open_page(profile(hostile, event=markup, comments=(markup, HOSTILE)))
    page.keys("\ue013")
    page.keys("\ue013")
    assert page.selected.startswith("</script><script>")
    assert page.browser.title == f"{markup} flame graph"
    scripts = page.browser.execute_script("return document.scripts.length")
    images = page.browser.execute_script("return document.images.length")
    assert (scripts, images) == (2, 0)


def test_no_samples(open_page: Callable[[Profile], Page]) -> None:
    assert open_page(profile()).text("summary") == "No samples were taken."


def test_deep_stacks_scroll_to_the_root(open_page: Callable[[Profile], Page]) -> None:
    page = open_page(profile(";".join(f"f{depth}" for depth in range(600))))
    _, bottom = page.place("f0")
    page.point((600, bottom))
    assert page.text("detail").startswith("f0\n")


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest, browser: Any) -> Iterator[str]:
    """What the reader's system prefers."""
    features = [{"name": "prefers-color-scheme", "value": request.param}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    yield request.param
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_labels_can_be_read(scheme: str, page: Page) -> None:
    color = page.browser.execute_script("return getComputedStyle(document.body).color")
    text = [int(part) for part in re.findall(r"\d+", color)]
    assert (sum(text) > 3 * 128) == (scheme == "dark")
    names = ("main", "step", "read", "do_syscall_64", "Fn:render", "[libm.so.6]+0x2f130", "demo")
    for name in names:
        x, y = page.place(name)
        assert _contrast(text, page.pixel((x, y - 8))) >= 4.5, name


def _contrast(first: list[int], second: list[int]) -> float:
    """WCAG 2.2, contrast ratio."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: list[int]) -> float:
    parts = [part / 255 for part in color]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_slices_of_time_are_bars(open_page: Callable[[Profile], Page]) -> None:
    samples = [stack("main;f", count, time_ns=at * 10**9) for at, count in enumerate((3, 12, 6))]
    page = open_page(profile(*samples, slice_ns=10**9, duration_ns=4 * 10**9))
    assert page.text("load") == "4 s, at most 12 samples in 1 s"
    script = """return [...document.querySelectorAll("#load .bar")].map((one) =>
        [one.getBoundingClientRect().height, one.parentNode.querySelector("title").textContent])"""
    heights, titles = zip(*page.browser.execute_script(script), strict=True)
    assert [round(one / heights[1] * 12) for one in heights] == [3, 12, 6, 0]
    assert titles[1] == "1 s to 2 s: 12 samples"


def test_without_slices_there_are_no_bars(page: Page) -> None:
    assert page.browser.execute_script(
        "return getComputedStyle(document.getElementById('load')).display"
    ) == ("none")
