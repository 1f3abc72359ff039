"""Agent and collector scraped by a real Prometheus, dashboards and rules asked of it."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import collector_extra, prometheus
from tests.agents import Agent
from tests.collecting import Running
from tests.examples import EXAMPLES
from tests.live.traffic.puppet import exchange, puppet
from tests.prometheus import Prometheus, names_in, problems_of, problems_of_rules, scraping

collector_extra.need()
prometheus.need()
EDGE = '{client="shop",server="store"}'
TIMES, SENT, ANSWERED = 4, 1_000_000, 300_000
DASHBOARDS = sorted((EXAMPLES / "grafana").glob("*.json"))
KINDS = ("timeseries", "nodeGraph")


@dataclass
class Watched:
    """What is scraped, and who scrapes it."""

    collector: Running
    agent: Agent
    prometheus: Prometheus


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    path = tmp_path_factory.mktemp("prometheus")
    rules = "\n".join(f'[[service]]\nname = "{one}"\ncomm = "{one}"' for one in ("store", "shop"))
    (path / "agent.toml").write_text(rules)
    (path / "cmdb.csv").write_text("node,team\nhere,search\n")
    words = "--interval 2s --frequency 1 --cpu-budget 100 --memory-budget 4096 --node here"
    with Running(path / "data", "--cmdb", str(path / "cmdb.csv")) as collector:
        collector.wait_until_ready()
        options = ("--config", str(path / "agent.toml"), *words.split())
        at = f"127.0.0.1:{collector.port}"
        with Agent(f"http://{at}", spool=path / "spool", options=options) as agent:
            of_agent = agent.url.removeprefix("http://")
            with scraping(path, {"collector": at, "agent": of_agent}) as found:
                yield Watched(collector, agent, found)


def moved(found: Prometheus, series: str) -> float:
    """What PromQL's rate says that a counter moved by since it is there.

    A rate is over the time between its first and its last sample, and extrapolated to the range.
    """
    first, *_, last = found.times(f"{series}[5m]")
    within = f"{series}[{int(last - first)}s]"
    times = found.times(within, last)
    ((_, rate),) = found.ask(f"rate({within})", last)
    return rate * (times[-1] - times[0])


def test_rates_are_those_of_known_traffic(watched: Watched) -> None:
    """Both ends are on one node, and each connection is counted once."""
    found = watched.prometheus
    with puppet("store") as store, puppet("shop") as shop:
        port = store.listen("listener", "127.0.0.1")
        exchange(shop, store, ("127.0.0.1", port), 1, 1)
        found.wait_until(f"ebprof_service_connections_total{EDGE}", 1)
        time.sleep(3)
        for _ in range(TIMES):
            exchange(shop, store, ("127.0.0.1", port), SENT, ANSWERED)
    for name, size in (("tx", SENT), ("rx", ANSWERED)):
        series = f"ebprof_service_{name}_bytes_total{EDGE}"
        found.wait_until(series, 1 + TIMES * size)
        assert moved(found, series) == pytest.approx(TIMES * size, rel=0.01)
    found.wait_until(f"ebprof_service_connections_total{EDGE}", 1 + TIMES)
    by_shop = 'ebprof_agent_service_bytes_total{service="shop",direction="tx"}'
    assert found.value(by_shop) == 1 + TIMES * SENT


def page(url: str) -> str:
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        return str(answer.read().decode())


def test_pages_of_metrics_are_as_they_should_be(watched: Watched) -> None:
    assert problems_of(page(watched.agent.url)) == ""
    assert problems_of(page(f"http://127.0.0.1:{watched.collector.port}")) == ""


def test_rules_are_understood_and_about_what_there_is(watched: Watched) -> None:
    rules = EXAMPLES / "prometheus" / "ebprof.rules.yml"
    assert problems_of_rules(rules) == ""
    assert names_in(rules.read_text()) <= known(watched)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_are_answered(watched: Watched, path: Path) -> None:
    board = json.loads(path.read_text())
    check_board(board)
    metrics, shown = known(watched), 0
    for panel in board["panels"]:
        for target in panel["targets"]:
            expression = target["expr"]
            assert names_in(expression) <= metrics, panel["title"]
            found = watched.prometheus.ask(expression.replace("$__rate_interval", "2m"))
            shown += bool(found)
    assert shown >= len(board["panels"]) // 2


def known(watched: Watched) -> set[str]:
    """All metrics that are told of, values or not."""
    pages = (watched.agent.url, f"http://127.0.0.1:{watched.collector.port}")
    lines = (line for one in pages for line in page(one).splitlines())
    return {line.split()[2] for line in lines if line.startswith("# TYPE ")}


def check_board(board: dict[str, Any]) -> None:
    """What Grafana asks of a dashboard that it imports."""
    assert board["title"] and board["uid"] and board["schemaVersion"] >= 36
    (variable,) = board["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    taken: set[tuple[int, int]] = set()
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    for panel in board["panels"]:
        assert panel["title"] and panel["type"] in KINDS
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        cells = {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}
        assert max(columns) < 24 and not cells & taken
        taken |= cells
        assert all(one["datasource"]["uid"] == "${datasource}" for one in panel["targets"])
        assert len({one["refId"] for one in panel["targets"]}) == len(panel["targets"])
