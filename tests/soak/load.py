"""What a soaked machine does: more at one time, less at another, and never the same."""

from __future__ import annotations

import random
from pathlib import Path

from ebprof.serving.children import Child
from scripts.serve import DEMO, free_port, run_caller, run_redis

RATES, SIZES = (20, 200, 2_000), (10, 1_000, 50_000)
BENCHMARKS = (0, 0, 20_000, 60_000)
"""Requests of redis-benchmark in a phase."""
PAUSES = (0.02, 0.2, 1.0)
"""Seconds between processes that live shortly."""
_SHORT = "while sleep %g; do ls /usr/lib >/dev/null; seq 2000 | sort -R | md5sum >/dev/null; done"


class Load:
    """redis, who calls it, a program that computes, and many that end at once; by phases."""

    def __init__(self, directory: Path, chance: random.Random) -> None:
        self._chance = chance
        self._port = free_port()
        self._redis = run_redis(self._port, directory)
        self._phase: list[Child] = []
        self.name = ""

    def change(self) -> None:
        """Begin another phase. name: says what it is like."""
        self._end_phase()
        choose = self._chance.choice
        rates, size, pause = (choose(RATES), choose(RATES)), choose(SIZES), choose(PAUSES)
        seconds, requests = self._chance.randint(0, 15), choose(BENCHMARKS)
        self._phase = [
            run_caller(self._port, "checkout", rates[0], size),
            run_caller(self._port, "reports", rates[1] // 10, 10 * size),
            _child("short", ["sh", "-c", _SHORT % pause]),
        ]
        if seconds:
            self._phase.append(_child("demo", [str(DEMO), str(seconds)]))
        if requests:
            words = ["redis-benchmark", "-p", str(self._port), "-n", str(requests), "-c", "8"]
            self._phase.append(_child("benchmark", [*words, "-t", "get,set,lrange_100", "-q"]))
        self.name = f"{sum(rates)} calls/s of {size} B, demo {seconds} s, benchmark {requests:,}"

    def close(self) -> None:
        """Have no load any more."""
        self._end_phase()
        self._redis.end()

    def _end_phase(self) -> None:
        for child in self._phase:
            child.end()
        self._phase = []


def _child(name: str, words: list[str]) -> Child:
    return Child(name, ["nice", "-n", "5", *words], lambda _: None, end_s=2.0)
