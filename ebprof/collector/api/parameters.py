"""Parameters of queries, as they stand behind the question mark."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from starlette.datastructures import QueryParams

from ebprof.collector.query import selector, times
from ebprof.collector.query.changes import Changes
from ebprof.collector.query.flows import DEFAULT_BY, FlowSums
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.selector import Selector
from ebprof.collector.query.services import DEFAULT_BY as DEFAULT_SERVICES_BY
from ebprof.collector.query.services import Services
from ebprof.collector.query.times import Range
from ebprof.collector.query.timing import BASELINES, BEFORE
from ebprof.collector.query.topology import DEFAULT_BY as DEFAULT_TOPOLOGY_BY
from ebprof.collector.query.topology import DEFAULT_NODES as DEFAULT_TOPOLOGY_NODES
from ebprof.collector.query.topology import MAX_NODES as MAX_TOPOLOGY_NODES
from ebprof.collector.query.topology import Topology
from ebprof.collector.retention import Retention
from ebprof.collector.store.question import BadQuestionError

RANGE = ("from", "to")
SIDES = tuple(f"{side}_{name}" for side in ("left", "right") for name in ("query", *RANGE))
SELECTION = ("type", "query", *RANGE)
_DEFAULT_FROM, _DEFAULT_TO = "now-1h", "now"


class Parameters:
    """The parameters of one request; each is known and is there once at most.

    defaults: values of those that are missing.
    """

    def __init__(
        self, given: QueryParams, known: Sequence[str], defaults: Mapping[str, str] | None = None
    ) -> None:
        self._given = given
        self._defaults = defaults or {}
        self._now_ms = time.time_ns() // 1_000_000
        for name in given:
            if name not in known:
                hint = f"there are {', '.join(known)}" if known else "there is none"
                raise BadQuestionError(f"unknown parameter {name[:64]!r}", hint)
            if len(given.getlist(name)) > 1:
                raise BadQuestionError(f"{name} is there twice", "give it once")

    def text(self, name: str, default: str = "") -> str:
        """The value of a parameter, or the default where it is missing or empty."""
        return self._given.get(name) or self._defaults.get(name, default)

    def range(self, side: str = "") -> Range:
        """From `from` to `to`; the last hour without them. side: begins the names, as `left_`."""
        start = self.text(f"{side}from", _DEFAULT_FROM)
        end = self.text(f"{side}to", _DEFAULT_TO)
        return times.parse_range(start, end, self._now_ms)

    def selector(self, side: str = "") -> Selector:
        """What `query` selects."""
        return selector.parse(self.text(f"{side}query"))

    def selection(self, retention: Retention, side: str = "") -> Selection:
        """Samples of `type`, of what `query` selects, in the range."""
        kind = self.text("type")
        if not kind:
            raise BadQuestionError("there is no type", "add type=cpu; profiles/types lists them")
        within = self.range(side)
        return Selection(kind, self.selector(side), within, self._now_ms, retention)

    def flows(self, retention: Retention) -> FlowSums:
        """Flows that `query` selects, in the range, by the keys of `by`."""
        by = tuple(dict.fromkeys(self.text("by", DEFAULT_BY).split(",")))
        return FlowSums(self.selector(), self.range(), by, self._now_ms, retention)

    def services(self, retention: Retention) -> Services:
        """Services that `query` selects, in the range, by `by`."""
        by = self.text("by", DEFAULT_SERVICES_BY)
        return Services(self.selector(), self.range(), by, self._now_ms, retention)

    def changes(self, retention: Retention) -> Changes:
        """Changes of what `query` selects, in the range, against `baseline`."""
        baseline = self.choice("baseline", tuple(BASELINES), BEFORE)
        return Changes(self.selector(), self.range(), self._now_ms, retention, baseline)

    def topology(self, retention: Retention) -> Topology:
        """Edges that `query` selects, in the range, by `by`."""
        by = self.text("by", DEFAULT_TOPOLOGY_BY)
        most = self.number("max_nodes", DEFAULT_TOPOLOGY_NODES, MAX_TOPOLOGY_NODES)
        return Topology(self.selector(), self.range(), by, self._now_ms, retention, most)

    def step_ms(self) -> int:
        """The length of `step`; 0 where it is left out."""
        step = self.text("step")
        return times.parse_step(step) if step else 0

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to `most`."""
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= most):
            raise BadQuestionError(f"{name} is no number from 1 to {most:,}", f"not {text[:20]!r}")
        return int(text)

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """One of some words."""
        text = self.text(name, default)
        if text not in choices:
            raise BadQuestionError(
                f"unknown {name} {text[:64]!r}", f"there are {', '.join(choices)}"
            )
        return text
