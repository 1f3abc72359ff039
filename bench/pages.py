"""What pages cost whoever looks at them, and the collector: a headless Chromium on made-up data.

One service has 50,000 distinct stacks, 30 functions deep; four are small. Seconds are by the
browser's own clock.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench.run import print_bars, print_table
from bench.traffic_loads import cpu_seconds_of
from ebprof.collector.query.times import Range
from tests import made_up
from tests.browser.chromium import chromium
from tests.browser.pages import Pages
from tests.collecting import Running
from tests.made_up import Service

STACKS, DEPTH, FUNCTIONS = 50_000, 30, 3_000
PART = 2_000
"""Of a service's stacks, in one profile."""
WIDE = "wide"
PAINT_BAR_S, GRAPH_BAR_S, FRAMES_BAR, SCRIPT_BAR, VIEWER_BAR = 1.0, 1.5, 50, 1e6, 0.02

PAINTED = """
    const done = arguments[0];
    const look = () => {
      const [paint] = performance.getEntriesByName("first-contentful-paint");
      if (paint) done(paint.startTime / 1000); else requestAnimationFrame(look);
    };
    look();
"""
DRAWN = """
    const done = arguments[1], began = performance.now();
    const look = () => {
      const canvas = document.querySelector(".flame canvas");
      if (canvas?.width) done((performance.now() - began) / 1000); else requestAnimationFrame(look);
    };
    [...document.querySelectorAll("main a")].find((one) => one.innerText === arguments[0]).click();
    requestAnimationFrame(look);
"""
ZOOMED = """
    const done = arguments[1], canvas = document.querySelector(".flame canvas"), times = [];
    const box = canvas.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 3, box.top + box.height / 2];
    const click = new MouseEvent("click", { bubbles: true, clientX: x, clientY: y });
    const back = new KeyboardEvent("keydown", { key: "0" });
    const step = (now) => {
      times.push(now);
      if (times.length % 24 === 0) canvas.dispatchEvent(click);
      if (times.length % 24 === 12) document.dispatchEvent(back);
      if (times.length <= arguments[0]) requestAnimationFrame(step);
      else done(times.slice(1).map((one, at) => (one - times[at]) / 1000));
    };
    requestAnimationFrame(step);
"""
"""Zooms in and out again, each a moment later."""
SCRIPT_BYTES = """
    return performance.getEntriesByType("resource").filter((one) => /\\.js$/.test(one.name))
      .reduce((sum, one) => sum + one.decodedBodySize, 0);
"""


def main() -> None:
    """Print what was measured, and which bars were met."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeat", type=int, default=5, help="loads and clicks (5)")
    arguments.add_argument("--seconds", type=float, default=60, help="a page is left open (60)")
    options = arguments.parse_args()
    with _pages() as (pages, running):
        first = _paint(pages)
        paints = [_paint(pages) for _ in range(options.repeat)]
        clicks = [_click(pages) for _ in range(options.repeat)]
        frames = pages.browser.execute_async_script(ZOOMED, 240)
        script = pages.run(SCRIPT_BYTES)
        viewer = _viewer(pages, running, options.seconds)
    click, frame = statistics.median(clicks), float(np.percentile(frames, 95))
    rows = [
        ["first paint, first visit", f"{first:.2f} s"],
        ["first paint, later", f"{statistics.median(paints):.2f} s"],
        [f"from a click to a graph of {STACKS:,} stacks, first", f"{clicks[0]:.2f} s"],
        ["the same, later", f"{click:.2f} s"],
        ["frames a second as it is zoomed, median", f"{1 / statistics.median(frames):.0f}"],
        ["the same, the slowest in twenty", f"{1 / frame:.0f}"],
        ["script", f"{script / 1e3:.0f} kB"],
        ["collector and store for a live profile, of one core", f"{viewer:.2%}"],
    ]
    print_table("pages", ["what", "found"], rows)
    print_bars(
        {
            "painted within 1 s": first <= PAINT_BAR_S,
            "a graph of 50,000 stacks within 1.5 s": click <= GRAPH_BAR_S,
            "50 frames a second": 1 / frame >= FRAMES_BAR,
            "at most 1 MB of script": script <= SCRIPT_BAR,
            "a viewer costs at most 2 % of a core": viewer <= VIEWER_BAR,
        }
    )


@contextmanager
def _pages() -> Iterator[tuple[Pages, Running]]:
    with tempfile.TemporaryDirectory() as name, Running(Path(name) / "data") as running:
        running.wait_until_ready()
        end_s = int(time.time()) // made_up.WINDOW_S * made_up.WINDOW_S
        made_up.fill(running, [*made_up.few(), *_wide()], minutes=1, end_s=end_s)
        filled = Range((end_s - 60) * 1000, end_s * 1000)
        with chromium(Path(name) / "chromium") as browser:
            browser.set_script_timeout(60)
            yield Pages(browser, running, filled), running


def _wide() -> Iterator[Service]:
    """The large service; its stacks come in several profiles a window."""
    random = np.random.default_rng(11)
    names = [f"ns::Class{number % 97}::method_{number}(int)" for number in range(FUNCTIONS)]
    for at in range(0, STACKS, PART):
        inner = random.integers(0, FUNCTIONS, (PART, DEPTH - 3)).tolist()
        paths = [
            ";".join(("_start", "main", f"part_{at}", *(names[one] for one in path)))
            for path in inner
        ]
        yield Service(WIDE, tuple((path, 1) for path in paths))


def _paint(pages: Pages) -> float:
    pages.browser.get("about:blank")
    pages.open("/")
    return float(pages.browser.execute_async_script(PAINTED))


def _click(pages: Pages) -> float:
    pages.open("/")
    pages.wait(lambda: any(row[0] == WIDE for row in pages.rows()))
    return float(pages.browser.execute_async_script(DRAWN, WIDE))


def _viewer(pages: Pages, running: Running, seconds: float) -> float:
    """What a live page of a small service costs, beyond what is used without."""
    pages.browser.get("about:blank")
    idle = _used(running, seconds)
    pages.open("/profiles", query='{service_name="search"}', from_="now-15m", to="now", live="1")
    pages.one(".flame canvas")
    return _used(running, seconds) - idle


def _used(running: Running, seconds: float) -> float:
    """CPU time of the collector and its store, of one core."""
    pids = [running.process.pid, running.store_pid() or 0]
    before, began = sum(map(cpu_seconds_of, pids)), time.monotonic()
    time.sleep(seconds)
    return (sum(map(cpu_seconds_of, pids)) - before) / (time.monotonic() - began)


if __name__ == "__main__":
    main()
