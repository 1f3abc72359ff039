"""The books of a soak: what went into the spool is stored, waits there, or was counted as lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.soak.programs import NODE, AgentRun, Collector
from tests.soak.spooled import FlowSums, Spooled

DAY_S = 86_400
FROM_SPOOL = ("spool_full", "refused")
"""Reasons for which what was in the spool is dropped; for others it never came there."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the collector answers: samples, and bytes of flows both ways."""

    samples: int
    flow_bytes: int


@dataclass(frozen=True, slots=True)
class Books:
    """Samples, but for flow_rows and flow_bytes, since the start.

    taken: by agents, as far as they could say. never_spooled: of these, what agents lost and
    counted. cut_off: of these, what was in windows that are not over, or that agents were killed
    in. spooled: seen in the spool. dropped: of that, by reason. waiting: that is still there.
    """

    taken: int
    never_spooled: int
    cut_off: int
    spooled: int
    stored: int
    dropped: Counter[str]
    waiting: int
    flow_bytes_spooled: int
    flow_bytes_stored: int
    flows_dropped: int
    unseen: int

    @property
    def missing(self) -> int:
        """Samples that were in the spool, and that nobody knows of any more; negative: too many."""
        return self.spooled - self.stored - self.dropped.total() - self.waiting

    @property
    def flow_bytes_missing(self) -> int:
        """The same of bytes; what was dropped of them is among it."""
        return self.flow_bytes_spooled - self.flow_bytes_stored

    def faults(self) -> list[str]:
        """What is wrong with them, a line each."""
        found = []
        if self.missing:
            found.append(f"{self.missing:+,} samples are missing")
        if self.flow_bytes_missing < 0 or (
            self.flow_bytes_missing and not (self.flows_dropped or self.unseen or self.waiting)
        ):
            found.append(f"{self.flow_bytes_missing:+,} bytes of flows are missing")
        return found


def books(
    runs: Sequence[AgentRun], spooled: Spooled, stored: Stored, waiting: Mapping[str, int]
) -> Books:
    """Of all runs of the agent."""
    dropped, flows, never = Counter[str](), Counter[str](), 0
    for run in runs:
        dropped.update({one: run.dropped[one] for one in FROM_SPOOL})
        flows.update({one: run.dropped_flows[one] for one in FROM_SPOOL})
        never += run.lost + sum(n for one, n in run.dropped.items() if one not in FROM_SPOOL)
    taken = sum(run.samples for run in runs)
    return Books(
        taken,
        never,
        taken - never - spooled.samples,
        spooled.samples,
        stored.samples,
        +dropped,
        waiting.get("push", 0),
        spooled.flow_bytes,
        stored.flow_bytes,
        flows.total(),
        spooled.unseen,
    )


def ask_stored(collector: Collector) -> Stored:
    """What is in the store, by the API; raises OSError where it does not answer."""
    now = int(time.time())
    between = {"from_": str(now - DAY_S), "to": str(now + DAY_S)}
    samples = [row for row in collector.rows("agents", **between) if row["node"] == NODE]
    flows = collector.rows("flows", by="node", **between)
    return Stored(
        sum(int(row["samples_total"]) for row in samples),
        sum(int(row["tx_bytes"] + row["rx_bytes"]) for row in flows if row["node"] == NODE),
    )


def compare_flows(
    spooled: Mapping[int, FlowSums], stored: Mapping[int, FlowSums], dropped_rows: int
) -> list[str]:
    """What is wrong with flows, window by window: each is stored as it was, or was dropped."""
    found = []
    rows = 0
    for start, sums in spooled.items():
        there = stored.get(start, FlowSums())
        if there == sums:
            continue
        rows += sums.rows - there.rows
        if there.rows and (there.rows >= sums.rows or there.tx > sums.tx or there.rx > sums.rx):
            found.append(f"flows of the window {start} are stored as {there}, not {sums}")
    if rows != dropped_rows:
        found.append(f"{rows:,} flows are not stored, of which {dropped_rows:,} were dropped")
    found += [f"flows of a window {one} that nobody saw" for one in set(stored) - set(spooled)]
    return found
