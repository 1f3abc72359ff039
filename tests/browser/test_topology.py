"""Who talks to whom as a graph: the API's figures, and a view that stays as it is."""

from __future__ import annotations

from typing import Any

from tests.browser.pages import Pages
from tests.made_up import HOSTILE

GRAPH = "document.querySelector('.canvas')._cyreg.cy"
PLACES = f"return Object.fromEntries({GRAPH}.nodes().map((one) => [one.id(), one.position()]))"
ENTER = "\ue007"


def places(pages: Pages) -> dict[str, Any]:
    """Where nodes stand, once there are some."""
    pages.one(".canvas canvas")
    found: dict[str, Any] = pages.wait(lambda: pages.run(PLACES))
    return found


def test_the_graph_and_the_table_are_what_the_api_says(pages: Pages) -> None:
    pages.open("/topology")
    answer = pages.ask("topology")
    rows = {tuple(row[:2]): row for row in pages.rows()}
    assert set(rows) == {(edge["client"], edge["server"]) for edge in answer["edges"]}
    titles = pages.run("return [...document.querySelectorAll('td[title]')].map((one) => one.title)")
    for edge in answer["edges"]:
        assert f"{edge['tx_bytes'] + edge['rx_bytes']:,} bytes" in titles
        assert rows[edge["client"], edge["server"]][6] == str(edge["failed_connects"])
        assert rows[edge["client"], edge["server"]][9] == edge["seen_by"]
    assert len(places(pages)) == len(answer["nodes"])
    labels = pages.run(f"return {GRAPH}.edges().map((one) => one.target().data('label'))")
    assert len(labels) == len(answer["edges"])
    assert "redis" in labels
    failed = pages.run(f"return {GRAPH}.edges('.failed').map((one) => one.source().data('label'))")
    assert failed == ["search"]


def test_nodes_stay_where_they_are(pages: Pages) -> None:
    pages.open("/topology", query='{service="redis"}')
    before = places(pages)
    pages.keys("r")
    pages.run("document.querySelector('button.clear').dispatchEvent(new MouseEvent('mousedown'))")
    pages.wait(lambda: len(places(pages)) > len(before))
    after = places(pages)
    assert {name: after[name] for name in before} == before
    pages.open("/topology", query='{service="redis"}')
    assert places(pages) == before


def test_an_edge_opens_with_both_sides_and_leads_on(pages: Pages) -> None:
    pages.open("/topology", view="graph")
    places(pages)
    edge = 'edge[source *= "search"][target *= "redis"]'
    pages.run(f"{GRAPH}.$('{edge}').emit('tap')")
    assert pages.text(".facts h2").split()[:3] == ["search", "→", "redis"]
    assert "open=" in pages.url
    cells = pages.rows(".facts table")
    assert [row[0] for row in cells][:2] == ["to the server", "to the client"]
    assert len({*cells[0][1:]}) == 1
    assert "refused: " in pages.text(".facts .said")
    link = next(one for one in pages.all(".facts a") if one.text.startswith("traffic"))
    link.click()
    keys = "peer_service,peer,port"
    pages.wait_for("/traffic", query='{service="search"}', by=keys, role="client")
    pages.browser.back()
    assert pages.text(".facts h2").split()[:3] == ["search", "→", "redis"]
    pages.click(".facts .close")
    pages.wait_for("/topology", view="graph")


def test_keys_lead_to_it_and_through_its_table(pages: Pages) -> None:
    pages.open("/topology", view="table", search="reind")
    assert [row[:2] for row in pages.rows()] == [["reindexer", "redis"]]
    assert pages.all(".canvas") == []
    pages.run("document.querySelector('button.row').focus()")
    pages.keys(ENTER)
    assert "only the server's side saw it" in pages.text(".facts .said")
    pages.open("/")
    pages.rows()
    loaded = "return performance.getEntriesByType('resource').map((one) => one.name)"
    assert [one for one in pages.run(loaded) if "cytoscape" in one or "topology" in one] == []
    pages.keys("g", "o")
    pages.wait_for("/topology")
    places(pages)
    assert len([one for one in pages.run(loaded) if "cytoscape" in one]) == 1


def test_names_are_text_and_other_labels_are_nodes_too(pages: Pages) -> None:
    pages.open("/topology", by="node", size="cpu")
    assert {node[1:-1].split('","')[1][:-1] for node in places(pages)} >= {"a", "b", "c"}
    pages.open("/topology")
    assert any(HOSTILE in row for row in pages.rows())
    assert pages.browser.title == "topology · ebprof"
    assert pages.run("return document.querySelectorAll('main script, main img').length") == 0


def test_nothing_that_moved_says_what_to_run(pages: Pages) -> None:
    pages.open("/topology", query='{service="nobody"}')
    assert "ebprof doctor" in pages.text(".empty")
