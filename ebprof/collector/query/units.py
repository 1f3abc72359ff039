"""The units of time that there are trees of: hours and days of UTC."""

from __future__ import annotations

from dataclasses import dataclass

from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.retention import DAY_MS, Retention


@dataclass(frozen=True, slots=True)
class Unit:
    """name: what a plan calls them. sums, trees: the tables of sums by stack, and of trees.

    start: SQL, the start of the one that `ts` of `totals_1h` is in. kept: how long, a field of
    `Retention`.
    """

    name: str
    sums: str
    trees: str
    start: str
    length_ms: int
    kept: str

    def places(self) -> dict[str, str]:
        """What stands in SQL for `$unit`, `$sums`, `$trees` and `$start`."""
        names = {"sums": self.sums, "trees": self.trees, "start": self.start}
        return {"unit": self.name} | names

    def since_s(self, now_ms: int, retention: Retention) -> int:
        """The start of the first one that can have got more, and of which all is kept."""
        kept_ms: int = min(retention.raw_ms + self.length_ms, getattr(retention, self.kept))
        return -(-max(now_ms - kept_ms, 0) // self.length_ms) * self.length_ms // 1000

    def until_s(self, end_ms: int) -> int:
        """The start of the first one that had not ended at a time."""
        return end_ms // self.length_ms * self.length_ms // 1000


UNITS = (
    Unit("hours", "services_1h", "trees_1h", "ts", HOUR_MS, "hour_ms"),
    Unit("days", "services_1d", "trees_1d", "toStartOfDay(ts)", DAY_MS, "day_ms"),
)
