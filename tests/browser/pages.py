"""The collector's pages as tests use them: a browser on a URL of theirs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode

from ebprof.collector.query.times import Range, written
from tests.collecting import Running

PATIENCE_S = 30
CONTROL_S = 0.05
ROWS = """
    const rows = document.querySelector(arguments[0])?.tBodies[0]?.rows ?? [];
    return [...rows].map((row) => [...row.cells].map((cell) => cell.innerText.trim()));
"""
"""The texts of a table's cells, by a CSS selector."""
SETTLED = 10
"""Looks, CONTROL_S apart."""


class Pages:
    """The browser, on pages of a collector."""

    def __init__(self, browser: Any, collector: Running, within: Range) -> None:
        self.browser = browser
        self.collector = collector
        self.range = {"from": written(within.start_ms), "to": written(within.end_ms)}
        self.seconds = within.length_ms / 1000
        self.origin = f"http://127.0.0.1:{collector.port}"

    def open(self, path: str, **parameters: str) -> None:
        """Go to a page, of the range that was filled unless another `from_` is given."""
        self.browser.get(self.origin + self.link(path, **parameters))

    def link(self, path: str, **parameters: str) -> str:
        """The path and query of a page; underscores at the ends of names are left out."""
        given = {name.rstrip("_"): value for name, value in parameters.items()}
        return f"{path}?{urlencode(given if 'from' in given else self.range | given)}"

    def ask(self, path: str, **parameters: str) -> Any:
        """What the API answers, in the same range."""
        return self.collector.get(f"/api/v1/{path}", **(self.range | parameters)).json

    def wait_for(self, path: str, **parameters: str) -> None:
        """Wait until the browser is at a page, as `link` has it."""
        wanted = self.link(path, **parameters)
        self.wait(lambda: _parts(self.url) == _parts(wanted))

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.browser.execute_script(script, *arguments)

    def all(self, selector: str) -> list[Any]:
        """Elements by a CSS selector."""
        return list(self.browser.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        """The first element, as soon as there is one."""
        self.wait(lambda: self.all(selector))
        return self.all(selector)[0]

    def settled(self, selector: str) -> Any:
        """The first element, once it has not been made anew for a moment."""
        found: list[Any] = []

        def is_settled() -> bool:
            found.append(self.one(selector))
            return len(found) > SETTLED and all(one == found[-1] for one in found[-SETTLED:])

        self.wait(is_settled)
        return found[-1]

    def text(self, selector: str) -> str:
        """The text of the first element, as soon as it has some."""
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        self.wait(lambda: self.run(script, selector))
        return str(self.run(script, selector))

    def rows(self, table: str = "main table") -> list[list[str]]:
        """Texts of the cells of a table's body."""
        self.wait(lambda: self.run(ROWS, table))
        found: list[list[str]] = self.run(ROWS, table)
        return found

    def click(self, selector: str) -> None:
        """Click on the first element."""
        self.one(selector).click()

    def keys(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def wait(self, condition: Callable[[], Any]) -> Any:
        """What a condition returns once that is true."""
        end = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            assert time.monotonic() < end
            time.sleep(CONTROL_S)
        return found

    @property
    def url(self) -> str:
        """Path and query."""
        return str(self.browser.current_url).removeprefix(self.origin)


def _parts(url: str) -> tuple[str, dict[str, list[str]]]:
    path, _, query = url.partition("?")
    return path, parse_qs(query)
