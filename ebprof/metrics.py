"""What a server counts about itself, in Prometheus' text format.

Source of the format: prometheus.io/docs/instrumenting/exposition_formats
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Value = float | Mapping[str, int] | Mapping[str, float] | Mapping[tuple[str, ...], float]
"""Of a metric; by the value of its label, or the values of its labels, where it has any."""


@dataclass(frozen=True, slots=True)
class Metric:
    """name: without the prefix. label: what its values are told apart by, if anything is: names of
    labels with commas between them.
    """

    name: str
    help: str
    label: str = ""

    @property
    def kind(self) -> str:
        """Of Prometheus."""
        return "counter" if self.name.endswith("_total") else "gauge"


class Counters:
    """Values of metrics that are counted as things happen; several threads may count.

    prefix: of all names. Of metrics with several labels it counts nothing: these are current.
    """

    def __init__(self, prefix: str, metrics: Sequence[Metric]) -> None:
        self._prefix = prefix
        self._metrics = {metric.name: metric for metric in metrics}
        self._values: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, name: str, amount: int = 1, label: str = "") -> None:
        """Count something; label: the value of the metric's label."""
        assert bool(label) == bool(self._metrics[name].label)
        with self._lock:
            self._values[name, label] += amount

    def value(self, name: str, label: str = "") -> int:
        """What was counted so far."""
        return self._values[name, label]

    def values(self, name: str) -> dict[str, int]:
        """The same of a metric with a label, by its value."""
        with self._lock:
            return {label: n for (other, label), n in self._values.items() if other == name}

    def text(self, current: Mapping[str, Value]) -> str:
        """All metrics; current: values of those that are not counted here."""
        with self._lock:
            counted = sorted(self._values.items())
        lines = (self._lines(metric, current, counted) for metric in self._metrics.values())
        return "".join(line for found in lines for line in found)

    def _lines(
        self,
        metric: Metric,
        current: Mapping[str, Value],
        counted: list[tuple[tuple[str, str], int]],
    ) -> Iterator[str]:
        name = self._prefix + metric.name
        yield f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"
        own = {label: value for (other, label), value in counted if other == metric.name}
        if metric.label:
            found = current.get(metric.name, own)
            assert isinstance(found, Mapping)
            for key, value in sorted(found.items()):
                yield f"{name}{{{_labels(metric, key)}}} {value}\n"
        else:
            yield f"{name} {current.get(metric.name, own.get('', 0))}\n"


def _labels(metric: Metric, key: Sequence[str]) -> str:
    values = (key,) if isinstance(key, str) else key
    pairs = zip(metric.label.split(","), values, strict=True)
    return ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in pairs)
