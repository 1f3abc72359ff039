"""What the collector counts about itself, in Prometheus' text format.

Source of the format: prometheus.io/docs/instrumenting/exposition_formats
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_PREFIX = "ebprof_collector_"


@dataclass(frozen=True, slots=True)
class Metric:
    """name: without the prefix. label: the one that its values are told apart by, if any."""

    name: str
    help: str
    label: str = ""

    @property
    def kind(self) -> str:
        """Of Prometheus."""
        return "counter" if self.name.endswith("_total") else "gauge"


METRICS = (
    Metric("pushes_total", "Pushes by result: accepted, or why they were refused.", "result"),
    Metric("push_bytes_total", "Bytes of accepted pushes as they were sent."),
    Metric("profiles_total", "Profiles that were accepted, each once."),
    Metric("stacks_total", "Samples of accepted profiles: stacks with their values."),
    Metric("duplicate_profiles_total", "Profiles that were sent again after they were accepted."),
    Metric("log_bytes", "Bytes in the log that are not in the store yet, or being removed."),
    Metric("log_limit_bytes", "Bytes of the log at which pushes are refused."),
    Metric("log_segments", "Sealed segments of the log that are not in the store yet."),
    Metric("log_commits_total", "Writes to the log, each with one fsync."),
    Metric("log_cut_bytes_total", "Bytes of torn records that were cut off at the start."),
    Metric("segments_written_total", "Segments of the log that went to the store."),
    Metric("samples_written_total", "Rows of samples that went to the store."),
    Metric("unreadable_profiles_total", "Accepted profiles that could not be read again: kept."),
    Metric("damaged_bytes_total", "Bytes of the log that have a wrong checksum: kept."),
    Metric("write_failures_total", "Failed attempts to write a segment to the store."),
    Metric("store_ready", "1 while the store answers."),
    Metric("store_restarts_total", "Times that the store's process ended and was started again."),
    Metric("queries_total", "Queries by result: answered, refused, failed.", "result"),
)
_BY_NAME = {metric.name: metric for metric in METRICS}


class Counters:
    """Values of the metrics that are counted as things happen."""

    def __init__(self) -> None:
        self._values: Counter[tuple[str, str]] = Counter()

    def add(self, name: str, amount: int = 1, label: str = "") -> None:
        """Count something; label: the value of the metric's label."""
        assert bool(label) == bool(_BY_NAME[name].label)
        self._values[name, label] += amount

    def text(self, current: Mapping[str, int]) -> str:
        """All metrics; current: values of those that are not counted here."""
        return "".join(line for metric in METRICS for line in self._lines(metric, current))

    def _lines(self, metric: Metric, current: Mapping[str, int]) -> Iterator[str]:
        name = _PREFIX + metric.name
        yield f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"
        if metric.label:
            for (other, label), value in sorted(self._values.items()):
                if other == metric.name:
                    yield f'{name}{{{metric.label}="{label}"}} {value}\n'
            return
        value = current.get(metric.name, self._values[metric.name, ""])
        yield f"{name} {value}\n"
