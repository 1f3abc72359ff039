"""Profiles, and what changed in them: from a service to the line that is to blame."""

from __future__ import annotations

import json

from tests.browser.pages import Pages
from tests.made_up import HOSTILE, SLOW

SEARCH = '{service_name="search"}'


def functions(pages: Pages) -> dict[str, list[str]]:
    """Cells of the table of functions, by function."""
    return {row[0]: row[1:] for row in pages.rows(".functions")}


def point(pages: Pages, text: str) -> str:
    """What is said of the frame of a function, found by a search."""
    pages.run(
        """
        const canvas = document.querySelector(".chart");
        canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "n", bubbles: true }));
        """
    )
    pages.wait(lambda: text in pages.run("return document.querySelector('.detail').innerText"))
    return pages.text(".detail")


def middle(pages: Pages) -> float:
    """The middle of the range, in seconds since the epoch."""
    script = "return (Date.parse(arguments[0]) + Date.parse(arguments[1])) / 2000"
    return float(pages.run(script, pages.range["from"], pages.range["to"]))


def test_figures_are_those_of_the_api(pages: Pages) -> None:
    pages.open("/profiles", query=SEARCH, view="table")
    shown = functions(pages)
    folded = pages.collector.get(
        "/api/v1/profiles/flamegraph",
        **pages.range,
        type="cpu",
        query=SEARCH,
        format="folded",
    ).body.decode()
    own: dict[str, int] = {}
    for line in folded.splitlines():
        stack, _, value = line.rpartition(" ")
        name = stack.split(";")[-1].removesuffix("_[k]")
        own[name] = own.get(name, 0) + int(value)
    whole = sum(own.values())
    for name, sum_of in own.items():
        assert shown[name][0] == f"{100 * sum_of / whole:.2f}%"
    assert shown["main"][:2] == ["0.00%", "100.00%"]
    cores = whole / pages.seconds / 1e9
    assert pages.text(".sum b") == f"{cores:.2f} cores"


def test_a_frame_says_its_line(pages: Pages) -> None:
    pages.open("/profiles", query=SEARCH, search=SLOW)
    pages.wait(lambda: "matched" in pages.text(".matched"))
    detail = point(pages, SLOW)
    assert f"/src/demo.c:{len(SLOW)}" in detail
    assert "self" in detail


def test_what_is_hidden_and_zoomed_to_is_in_the_url(pages: Pages) -> None:
    pages.open("/profiles", query=SEARCH, view="table")
    functions(pages)
    pages.run("document.querySelectorAll('.functions tbody button')[0].click()")
    pages.run("[...document.querySelectorAll('.actions button')][1].click()")  # hide
    pages.wait(lambda: "hide=" in pages.url)
    assert "Postings::advance" not in functions(pages)
    pages.click(".chip")
    pages.wait(lambda: "Postings::advance" in functions(pages))
    zoom = json.dumps(["_start", "__libc_start_main", "main", "serve"])
    pages.open("/profiles", query=SEARCH, zoom=zoom, drop=json.dumps(["*write"]))
    chart = pages.one(".chart")
    pages.wait(lambda: chart.get_attribute("data-zoom") == "serve")
    pages.keys("0")
    pages.wait(lambda: "zoom" not in pages.url)
    pages.browser.back()
    pages.wait(lambda: chart.get_attribute("data-zoom") == "serve")


def test_bottom_up_modules_and_only_matches(pages: Pages) -> None:
    pages.open("/profiles", query=SEARCH, view="up", search="vfs_write")
    assert pages.text(".matched") != "0.00% matched"
    small = pages.text(".matched")
    pages.click(".graph-tools button[title^='Leave out']")
    pages.wait(lambda: pages.text(".matched") == "100.00% matched")
    assert float(small.split("%")[0]) < 2
    pages.open("/profiles", query=SEARCH, view="modules")
    pages.one(".chart")
    pages.wait(lambda: pages.text(".legend"))
    pages.keys("\ue013", "\ue015")
    pages.wait(lambda: pages.one(".chart").get_attribute("data-selected") == "demo")


def test_dragging_over_the_timeline_selects_a_range(pages: Pages) -> None:
    from selenium.webdriver import ActionChains

    pages.open("/profiles", query=SEARCH, by="build")
    pages.wait(lambda: pages.text(".keys") == "3f2a\n91c0")
    over = pages.settled(".u-over")
    quarter = over.size["width"] // 4
    actions = ActionChains(pages.browser).move_to_element_with_offset(over, -2 * quarter + 2, 0)
    actions.click_and_hold().move_by_offset(quarter, 0).release().perform()
    pages.wait(lambda: pages.range["to"][:19] not in pages.url)
    end = "return Date.parse(new URL(location.href).searchParams.get('to')) / 1000"
    to = pages.run(end)
    assert abs(to - (middle(pages) - pages.seconds / 4)) < pages.seconds / 20
    pages.browser.back()
    pages.wait_for("/profiles", query=SEARCH, by="build")


def test_a_moment_of_the_heat_map(pages: Pages) -> None:
    pages.open("/profiles", query=SEARCH)
    cells = pages.wait(lambda: pages.all(".heat rect"))
    assert len(cells) == pages.seconds / 10
    over = pages.settled(".u-over").rect
    start, _, width, _ = map(float, pages.one(".heat").get_dom_attribute("viewBox").split())
    second = next(one for one in cells if one.get_dom_attribute("x") == "1").rect["x"]
    place = over["x"] + (1 - start) / width * over["width"]
    assert abs(second - place) < 3, "a column stands below its time"
    title = pages.run("return arguments[0].textContent", cells[5])
    cells[5].click()
    pages.wait(lambda: len(pages.all(".heat rect")) == 1)
    assert pages.run("return document.querySelector('.heat rect').textContent") == title


def test_missing_windows_are_hatched(pages: Pages) -> None:
    pages.open("/profiles", query=SEARCH)
    script = """
        const [series, done] = arguments;
        const place = document.scripts[0].src.replace("app.js", "gaps.js");
        import(place).then(({ gapsOf }) => done(gapsOf(series)));
    """
    series = pages.ask("profiles/series", type="ebprof_samples:count", by="node", step="10s")
    ((start, end, text),) = pages.browser.execute_async_script(script, series)
    assert text == "node c: no data"
    assert 100 <= end - start <= 130


def test_hostile_names_are_text(pages: Pages) -> None:
    query = '{service_name="' + HOSTILE.replace('"', '\\"') + '"}'
    pages.open("/profiles", query=query, view="table", by="service_name")
    assert HOSTILE in functions(pages)
    pages.click(".functions tbody button")
    pages.one(".neighbours")
    pages.open("/profiles", query=query, focus=HOSTILE)
    assert HOSTILE in pages.text(".chip")
    assert pages.run("return document.querySelectorAll('main script, main img').length") == 0
    assert "ebprof" in pages.browser.title


def test_as_a_command_and_as_files(pages: Pages) -> None:
    pages.open("/profiles", query=SEARCH)
    pages.wait(lambda: pages.all(".downloads a"))
    hrefs = [one.get_attribute("href") for one in pages.all(".downloads a")]
    assert len(hrefs) == 6
    for href in hrefs:
        answer = pages.collector.request("GET", href.removeprefix(pages.origin))
        assert answer.status == 200 and answer.body
    command = pages.run("return document.querySelector('.command code').textContent")
    assert command.startswith(f"ebprof report '{pages.origin}/api/v1/profiles/flamegraph?type=cpu")


def test_from_a_service_to_the_line_that_is_to_blame(pages: Pages) -> None:
    half = pages.run("return new Date(arguments[0] * 1000).toISOString()", middle(pages))
    pages.open("/", from_=half, to=pages.range["to"])
    pages.wait(lambda: any(one.text == "search" for one in pages.all("a.row")))
    next(one for one in pages.all("a.row") if one.text == "search").click()
    pages.one(".chart")
    pages.click(".ways a[title=d]")
    rows = pages.wait(lambda: pages.rows(".functions"))
    assert rows[0][0] == SLOW
    assert rows[0][1].startswith("▲ +")
    next(one for one in pages.all(".views button") if one.text.startswith("grown")).click()
    pages.wait(lambda: [row[0] for row in pages.rows(".functions")] == [SLOW])
    next(one for one in pages.all(".side a") if one.text.startswith("right")).click()
    pages.wait(lambda: pages.url.startswith("/profiles"))
    pages.keys("/", SLOW)
    pages.wait(lambda: "matched" in pages.text(".matched"))
    pages.run("document.activeElement.blur()")
    assert f"/src/demo.c:{len(SLOW)}" in point(pages, SLOW)


def test_both_sides_are_those_of_the_api(pages: Pages) -> None:
    half = pages.run("return new Date(arguments[0] * 1000).toISOString()", middle(pages))
    sides = {
        "left_query": SEARCH,
        "left_from": pages.range["from"],
        "left_to": half,
        "right_query": SEARCH,
        "right_from": half,
        "right_to": pages.range["to"],
    }
    pages.open("/compare", **sides)
    shown = functions(pages)
    answer = pages.collector.get("/api/v1/profiles/diff", type="cpu", **sides).json
    names = answer["functions"]["name"]
    for side, column in (("left", 1), ("right", 2)):
        own = dict.fromkeys(names, 0)
        for function, value in zip(answer["function"][1:], answer[f"{side}_self"][1:], strict=True):
            own[names[function]] += value
        whole = answer[side]["total"]
        assert shown[SLOW][column] == f"{100 * own[SLOW] / whole:.2f}%"
    assert "cores, 1 node" in pages.text(".side .sum")
    pages.click(".own button[title^='A graph']")
    pages.wait(lambda: len(pages.all(".chart")) == 2)
    pages.browser.back()
    pages.wait(lambda: not pages.all(".chart"))
