"""How a collector stands: what keeps it from its work, and what should be looked at."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest

pytest.importorskip("pyarrow")

from ebprof.collector import standing
from ebprof.collector.query.inventory import Difference, Node, Stock, Table
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.standing import FAILED, LIMITED, OK, Standing

GIB = 1 << 30


def now_ms() -> int:
    return time.time_ns() // 10**6


class Usage(NamedTuple):
    free: int


class World:
    """A standing, and what it looks at."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 9 * GIB
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(self.free))
        self.sealed: list[Any] = []
        self.log = SimpleNamespace(
            broken="", size=0, failed="", failed_at=0.0, sealed=lambda: self.sealed
        )
        self.store = SimpleNamespace(trouble=None, is_ready=True, retention=Retention())
        log, store = cast(Any, self.log), cast(Any, self.store)
        self.standing = Standing(path, log, 4 * GIB, store)

    def found(self, name: str) -> tuple[str, str]:
        (check,) = (one for one in self.standing.checks() if one.name == name)
        return check.state, check.detail


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield World(tmp_path, monkeypatch)


def test_a_disk(world: World) -> None:
    assert world.found("disk")[0] == OK
    world.free = GIB - 1
    assert world.found("disk")[0] == LIMITED
    world.free = 3 << 20
    state, detail = world.found("disk")
    assert state == FAILED and detail.startswith("3 MiB are left on the disk of /")


def test_a_log(world: World) -> None:
    assert world.found("log") == (OK, "0 of 4,096 MiB, 0 segments wait")
    world.sealed = [SimpleNamespace(number=now_ms() - 90_000)]
    state, detail = world.found("log")
    assert state == LIMITED and "1 segments wait, the oldest for 9" in detail
    world.log.size = 4 * GIB
    assert world.found("log") == (FAILED, "the log is full: the store does not keep up")
    world.log.size, world.log.failed = 0, "No space left on device"
    world.log.failed_at = time.monotonic()
    assert world.found("log") == (FAILED, "the log cannot be written: No space left on device")
    world.log.failed_at -= 100
    assert world.found("log")[0] == LIMITED, "who has room again need not wait for the next push"
    world.log.broken = "fdatasync failed"
    assert world.found("log")[1] == "the log is not written any more: fdatasync failed"


def test_a_store(world: World) -> None:
    assert world.found("store") == (OK, "it answers")
    world.standing.trouble = "cannot write to the store: no room"
    assert world.found("store")[1].endswith("no room: it is tried again each second")
    world.store.trouble = "the store is away: no answer"
    assert world.found("store") == (FAILED, "the store is away: no answer")


def test_what_is_stored(world: World) -> None:
    old = Table("samples", 5, 7 << 20, now_ms() - 4 * DAY_MS)
    world.standing._stock = Stock(8, (old, Table("frames", 1, 1 << 20, 0)))
    assert world.found("store")[1] == "it answers, 8 MiB in 2 tables of version 8"
    assert world.found("retention") == (OK, "raw=3d,1h=90d,1d=400d")
    world.standing.is_kept = False
    assert world.found("retention")[0] == LIMITED
    world.standing.is_kept = True
    world.standing._stock = Stock(8, (Table("samples", 5, 7, now_ms() - 50 * DAY_MS),))
    assert world.found("retention") == (LIMITED, "samples has rows of 50 days ago")
    metrics = world.standing.metrics()
    assert metrics["store_rows"] == {"samples": 5} and metrics["store_schema"] == 8


def test_nodes(world: World) -> None:
    near, missing = Node("a", now_ms() - 20_000, 0, 0), Node("b", now_ms() - 15_000, 2, 3 << 20)
    world.standing._stock = Stock(8, (), (near,))
    assert world.found("clocks")[0] == world.found("agents")[0] == OK
    world.standing._stock = Stock(8, (), (near, missing, Node("c", now_ms() + 80_000, 0, 0)))
    state, detail = world.found("clocks")
    assert state == LIMITED and detail.startswith("clocks of 1 of 3 nodes are ahead, by ")
    state, detail = world.found("agents")
    assert state == LIMITED and detail.endswith(
        "3 MiB wait on them; 2 windows of theirs did not arrive"
    )


def test_books(world: World) -> None:
    world.standing._differences = []
    assert world.found("books")[0] == OK
    wrong = Difference("samples_1h", "cpu", "2026-01-31", 12_000, 11_000)
    world.standing._differences = [wrong, wrong]
    assert world.found("books") == (
        LIMITED,
        "samples_1h has 12,000 of cpu on 2026-01-31, and samples have 11,000, and 1 more",
    )
    assert standing.BOOKS_S > standing.LOOK_S
