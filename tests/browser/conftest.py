"""One browser for all tests, and one collector that has something to show."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ebprof.collector.query.times import Range
from tests import collector_extra, made_up
from tests.browser.chromium import CHROMEDRIVER, CHROMIUM, chromium
from tests.browser.pages import Pages
from tests.collecting import Running

pytest.importorskip("selenium.webdriver", reason="needs selenium (PyPI)")

MINUTES = 15
END_S = int(time.time()) // made_up.WINDOW_S * made_up.WINDOW_S
"""When what `filled` has ends."""


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The browser, one for all tests."""
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    with chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture
def browser(driver: Any) -> Iterator[Any]:
    """The browser; the test fails when its page wrote an error to the console."""
    yield driver
    errors = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    driver.get("about:blank")
    assert errors == []


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A collector with made-up services of the last quarter of an hour, one for all tests."""
    if reason := collector_extra.missing():
        pytest.skip(reason)
    with Running(tmp_path_factory.mktemp("pages") / "data") as running:
        running.wait_until_ready()
        made_up.fill(running, made_up.few(), minutes=MINUTES, end_s=END_S)
        yield running


@pytest.fixture
def pages(browser: Any, filled: Running) -> Pages:
    """The browser, on that collector's pages."""
    return Pages(browser, filled, Range((END_S - 60 * MINUTES) * 1000, END_S * 1000))
