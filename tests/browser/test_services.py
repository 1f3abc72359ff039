"""The start page, and what stands above every page."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from ebprof.collector.query.times import written
from tests.browser.conftest import END_S, MINUTES
from tests.browser.pages import Pages
from tests.made_up import HOSTILE

ESCAPE, DOWN, ENTER = "\ue00c", "\ue015", "\ue007"


def names(pages: Pages) -> list[str]:
    return [row[0] for row in pages.rows()]


def test_figures_are_those_of_the_api(pages: Pages) -> None:
    pages.open("/")
    rows = {row[0]: row for row in pages.rows()}
    answer = pages.ask("services")
    assert set(rows) == {row["service"] for row in answer["rows"]}
    titles = pages.run("return [...document.querySelectorAll('td[title]')].map((one) => one.title)")
    for row in answer["rows"]:
        shown = rows[row["service"]]
        assert float(shown[1]) == pytest.approx(row["cpu"] / pages.seconds / 1e9, abs=0.005)
        assert shown[7] == str(row["failed_connects"])
        assert f"{row['rx_bytes']:,} in all" in titles


def test_what_changed_stands_first_and_leads_on(pages: Pages) -> None:
    """In the second half `redis` has a new caller, and `search` another build."""
    middle = written((END_S - 30 * MINUTES) * 1000)
    pages.open("/", from_=middle, to=written(END_S * 1000))
    script = "return [...document.querySelectorAll('.changes li')].map((one) => one.innerText)"
    rows = [re.sub(r"\s+", " ", row) for row in pages.wait(lambda: pages.run(script))]
    assert "from reindexer (node b, pid 8317)" in rows[0] and rows[0].startswith("▲ redis +")
    assert any("RankTree::score" in row and "% of its CPU" in row for row in rows)
    assert pages.text(".changes h2").startswith("what changed, against the 7.5 min before")
    link = next(one for one in pages.all(".changes li a") if one.text.startswith("diff"))
    link.click()
    pages.wait(lambda: pages.url.startswith("/compare?"))
    assert "search=RankTree" in pages.url and "left_query" in pages.url


def test_without_a_range_before_nothing_is_said_to_be_new(pages: Pages) -> None:
    pages.open("/")
    assert pages.text(".changes .note").startswith("nothing was pushed in the baseline")
    assert pages.all(".changes li") == []


def test_hostile_names_are_text(pages: Pages) -> None:
    pages.open("/")
    assert HOSTILE in names(pages)
    assert pages.browser.title == "services · ebprof"
    assert pages.run("return document.querySelectorAll('main script, main img').length") == 0


def test_a_click_leads_to_the_profile_and_back(pages: Pages) -> None:
    pages.open("/", sort="name")
    pages.one("a.row")
    link = next(one for one in pages.all("a.row") if one.text == "redis")
    link.click()
    pages.wait_for("/profiles", query='{service_name="redis"}')
    pages.browser.back()
    pages.wait_for("/", sort="name")
    assert names(pages)[1:] == ["redis", "search", "web"]


def test_state_is_in_the_url(pages: Pages) -> None:
    pages.open("/", search="RED")
    assert names(pages) == ["redis"]
    pages.click("th:nth-child(4) button")
    pages.wait_for("/", sort="rx_bytes", search="RED")
    pages.open("/", by="node")
    assert set(names(pages)) == {"a", "b", "c"}
    pages.click("th:first-child button")
    assert names(pages) == ["a", "b", "c"]
    pages.click("th:first-child button")
    assert names(pages) == ["c", "b", "a"]


def test_keys(pages: Pages) -> None:
    pages.open("/", from_="now-15m")
    pages.rows()
    pages.keys("/", "web")
    pages.wait_for("/", from_="now-15m", search="web")
    pages.keys(ESCAPE)
    pages.wait_for("/", from_="now-15m")
    pages.keys("-")
    pages.wait(lambda: pages.url == "/")  # twice as long: the nearest that there is is an hour
    pages.browser.back()
    pages.keys("?")
    assert "services, profiles" in pages.text(".help")
    pages.keys(ESCAPE)
    pages.wait(lambda: not pages.all(".help"))
    pages.keys("g", "t")
    pages.wait_for("/traffic", from_="now-15m")
    pages.browser.back()
    pages.keys("l")
    pages.wait_for("/", from_="now-15m", live="1")


def test_arrows_go_from_row_to_row(pages: Pages) -> None:
    pages.open("/", sort="name")
    pages.rows()
    pages.run("document.querySelector('a.row').focus()")
    pages.keys(DOWN)
    assert pages.browser.switch_to.active_element.text == "redis"
    pages.keys(ENTER)
    pages.wait(lambda: pages.url.startswith("/profiles"))


def test_the_selector_completes_labels_and_values(pages: Pages) -> None:
    pages.open("/")
    pages.rows()
    pages.click(".selector input")
    pages.keys("nod")
    pages.wait(lambda: [one.text for one in pages.all(".options li")] == ["node=\nlabel"])
    pages.keys(DOWN, ENTER)
    pages.wait(lambda: len(pages.all(".options li")) == 3)
    pages.keys("c", ENTER)
    pages.wait_for("/", query='{node="c"}')
    pages.wait(lambda: set(names(pages)) == {HOSTILE, "web"})


def test_what_the_api_refuses_is_said_in_its_words(driver: Any, pages: Pages) -> None:
    pages.open("/", query='{nod="c"}')
    assert "no series has the label 'nod'" in pages.text(".failure")
    assert "there are" in pages.text(".failure span")
    driver.get_log("browser")  # a refusal is an error of the console too


def test_an_agent_that_has_gone_away_is_seen(pages: Pages) -> None:
    pages.open("/")
    assert re.fullmatch(r"node c: nothing since [0-9:]+", pages.text(".notes"))


def test_a_range_without_anything_says_what_to_run(pages: Pages) -> None:
    pages.open("/", from_="now-12h", to="now-11h")
    assert f"ebprof agent --collector {pages.origin}" in pages.text(".empty")


def test_nothing_is_asked_of_others_and_nothing_breaks_the_policy(pages: Pages) -> None:
    pages.open("/")
    pages.rows()
    loaded = pages.run("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert len(loaded) > 10
    assert [one for one in loaded if not one.startswith(pages.origin + "/")] == []
    blocked = """
        window.broken = [];
        document.addEventListener('securitypolicyviolation', (one) => broken.push(one.blockedURI));
        const script = document.createElement('script');
        script.textContent = "document.title = 'x'";
        document.body.append(script);
    """
    pages.run(blocked)
    time.sleep(0.1)
    assert pages.browser.title == "services · ebprof"
    assert pages.run("return broken") == ["inline"]
    pages.browser.get_log("browser")
