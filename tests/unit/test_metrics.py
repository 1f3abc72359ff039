"""The page of metrics has those that there are, all of them, and with their labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ebprof.agent import figures
from ebprof.collector import metrics as of_collector
from ebprof.collector.enrichment import metrics_of_enrichers
from ebprof.collector.rates import services
from ebprof.metrics import Counters, Metric, Value

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
FIXED = {
    *("samples_total", "stops_total{reason}", "lost_total", "cpu_seconds_total"),
    *("resident_bytes", "spool_bytes", "pushes_total{result}"),
}
"""Names of the agent's that others rely on."""


def names(prefix: str, metrics: Sequence[Metric]) -> list[str]:
    return [f"{prefix}{one.name}{{{one.label}}}".removesuffix("{}") for one in metrics]


def _named(metric: Metric) -> Metric:
    return replace(metric, name=metric.name.removeprefix("ebprof_service_"))


@pytest.mark.parametrize(
    ("heading", "prefix", "metrics"),
    [
        ("Of the agent", figures.PREFIX, figures.METRICS),
        (
            "Of the collector",
            of_collector.PREFIX,
            [*of_collector.METRICS, *metrics_of_enrichers()],
        ),
        ("Of services", "ebprof_service_", [_named(one) for one in services.METRICS]),
    ],
)
def test_the_page_has_all_metrics(heading: str, prefix: str, metrics: Sequence[Metric]) -> None:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    listed = re.findall(rf"`({prefix}[\w{{}},]+)`", section)
    assert sorted(listed) == sorted(names(prefix, metrics))


def test_what_others_rely_on_is_there() -> None:
    assert set(names("", figures.METRICS)) >= FIXED


def test_what_is_counted_and_what_is_current_are_on_one_page() -> None:
    metrics = (Metric("a_total", "A.", "kind"), Metric("b", "B."))
    counters = Counters("x_", metrics)
    counters.add("a_total", 2, "k")
    assert counters.text({"b": 1.5}) == (
        "# HELP x_a_total A.\n# TYPE x_a_total counter\n"
        'x_a_total{kind="k"} 2\n'
        "# HELP x_b B.\n# TYPE x_b gauge\nx_b 1.5\n"
    )


def test_several_labels_and_what_has_to_be_quoted() -> None:
    counters = Counters("x_", (Metric("a_total", "A.", "from,to"), Metric("b", "B.", "place")))
    pairs: dict[tuple[str, ...], int] = {("a", "b"): 1, ("a", 'q"\\\n'): 2}
    values: dict[str, Value] = {"a_total": pairs, "b": {"c": 0.5}}
    assert [line for line in counters.text(values).splitlines() if line[0] != "#"] == [
        'x_a_total{from="a",to="b"} 1',
        r'x_a_total{from="a",to="q\"\\\n"} 2',
        'x_b{place="c"} 0.5',
    ]
