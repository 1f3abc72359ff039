"""Who talks to whom: from an unknown caller to its process."""

from __future__ import annotations

from tests.browser.pages import Pages

NOTHING = "\N{EN DASH}"
REDIS = '{service="redis"}'


def test_figures_are_those_of_the_api(pages: Pages) -> None:
    pages.open("/traffic")
    rows = {tuple(row[:2]): row for row in pages.rows()}
    answer = pages.ask("flows")
    assert len(rows) == len(answer["rows"])
    titles = pages.run("return [...document.querySelectorAll('td[title]')].map((one) => one.title)")
    for row in answer["rows"]:
        assert rows[row["service"], row["peer_service"] or NOTHING]
        assert f"{row['tx_bytes']:,} bytes in all" in titles
        assert f"{row['rx_bytes']:,} bytes in all" in titles


def test_from_an_unknown_caller_to_its_process(pages: Pages) -> None:
    pages.open("/traffic", query=REDIS)
    pages.rows()
    next(one for one in pages.all(".pivots button") if one.text == "callers").click()
    pages.wait_for(
        "/traffic", query=REDIS, role="server", by="peer_service,peer_process,peer_pid,peer,node"
    )
    pages.wait(lambda: [row[0] for row in pages.rows()] == ["reindexer", "search"])
    pages.wait(lambda: "new" in pages.rows()[0][-1])
    assert pages.rows()[0][1:3] == ["reindexer", "8317"]
    assert pages.rows()[1][-1] == "before"


def test_search_pivots_and_ways_on(pages: Pages) -> None:
    pages.open("/traffic", search="reind")
    pages.wait(lambda: [row[:2] for row in pages.rows()] == [["redis", "reindexer"]])
    pages.open("/traffic", by="port,role", query=REDIS)
    assert {tuple(row[:2]) for row in pages.rows()} >= {("6379", "server")}
    pages.click(".ways a")
    pages.wait_for("/profiles", query='{service_name="redis"}')


def test_nothing_that_moved_says_what_to_run(pages: Pages) -> None:
    pages.open("/traffic", query='{service="nobody"}')
    assert "ebprof doctor" in pages.text(".empty")
