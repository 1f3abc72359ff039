"""What is counted together: metrics, and the question that has their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ebprof.collector.query.times import Range
from ebprof.collector.retention import Retention
from ebprof.collector.store.question import Question
from ebprof.metrics import Metric


@dataclass(frozen=True, slots=True)
class Count:
    """What is added to a metric. edge: values of its first labels, of which there are so many that
    they are bounded; more: of the others. amount: microseconds, of a metric of seconds.
    """

    metric: str
    edge: tuple[str, ...]
    amount: int
    more: tuple[str, ...] = ()


class Family(Protocol):
    """A module of this package.

    METRICS: with whole names. EDGE: how many labels an edge has.
    """

    METRICS: Sequence[Metric]
    EDGE: int

    def question(self, within: Range, now_ms: int, retention: Retention) -> Question:
        """The question for all that is stored of windows that began in a range."""

    def counts(self, answer: Any) -> Iterator[Count]:
        """What the answer counts; several may be of the same metric and labels."""
