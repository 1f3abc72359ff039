"""Who talks to whom, of known windows in a store of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from ebprof.collector.flow_keys import COLUMNS, ROLLED_UP
from ebprof.collector.query.flows import FlowsAnswer, FlowSums
from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.query.selector import parse
from ebprof.collector.query.times import Range
from ebprof.collector.receive import records
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.question import BadQuestionError
from ebprof.collector.store.wire import Failure
from ebprof.wire.flows import COUNTS, FlowWindow, encode
from tests import collector_extra
from tests.flow_windows import Flow, Process, flow, window
from tests.stored import Store, store

collector_extra.need()
pa = pytest.importorskip("pyarrow")

HOUR = time.time_ns() // 10**6 // HOUR_MS * HOUR_MS
NOW = HOUR + 1_800_000
MS = 1_000_000
REDIS = Process("redis-server", 7, "redis", unit="redis.service")
SHOP, CRON = Process("python3", 8, "shop", container="c" * 64), Process("python3", 9, "cron")


def at(ago_ms: int, *flows: Flow, **fields: Any) -> FlowWindow:
    return window(*flows, at_ns=(NOW - ago_ms) * MS, **fields)


def calls(client: Process, count: int) -> tuple[Flow, Flow]:
    """What a caller sends to redis, as each end sees it."""
    return (
        flow(
            client,
            tx=count,
            rx_bytes=10 * count,
            connections=1,
            peer=REDIS,
            rtt_sum=900,
            rtt_count=3,
        ),
        flow(REDIS, "server", tx=10 * count, rx_bytes=count, connections=1, peer=client),
    )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Redis and two callers, of which one was there yesterday too; others on another node."""
    path = tmp_path_factory.mktemp("flows")
    windows = [
        at(1000, *calls(SHOP, 3), *calls(CRON, 5)),
        at(11_000, *calls(SHOP, 30), flow(SHOP, tx=-1, peer=REDIS)),
        at(2 * HOUR_MS, *calls(SHOP, 300)),
        at(DAY_MS, *calls(SHOP, 3000)),
        at(2 * DAY_MS, *calls(CRON, 30_000)),
        at(
            5000,
            flow(REDIS, "server", tx=7, address="fe80::1", port=0),
            flow(SHOP, refused=2, other=1, port=81),
            flow(None, "unknown", tx=1, address="0.0.0.0"),
            node="n2",
        ),
    ]
    messages = [records.of_flows(1, encode(one)).message() for one in windows]
    with store(path) as one:
        written = one.write(path / "segment", *messages)
        assert (written.samples, written.flows, written.unreadable) == (0, 16, 0)
        yield one


def ask(filled: Store, by: str, query: str = "{}", ago_ms: int = HOUR_MS // 2) -> Any:
    wanted = Range(NOW - ago_ms, NOW)
    return filled.request(FlowSums(parse(query), wanted, tuple(by.split(",")), NOW, Retention()))


def sent(filled: Store, by: str, query: str = "{}", ago_ms: int = HOUR_MS // 2) -> dict[Any, int]:
    """Bytes sent, by the keys."""
    answer = ask(filled, by, query, ago_ms)
    assert isinstance(answer, FlowsAnswer), answer
    return {tuple(row[name] for name in by.split(",")): row["tx_bytes"] for row in answer.rows}


def test_who_calls_redis(filled: Store) -> None:
    found = sent(filled, "service,peer_service", '{service_name="redis",node="n1"}')
    assert found == {("redis", "shop"): 330, ("redis", "cron"): 50}
    found = sent(filled, "service,peer_service", '{node="n1",role="client"}')
    assert found == {("shop", "redis"): 32, ("cron", "redis"): 5}


def test_a_row_has_the_names_of_traffic(filled: Store) -> None:
    (row,) = ask(filled, "pid,comm,port", '{pid="9"}').rows
    assert row == {
        "pid": 9,
        "comm": "python3",
        "port": 6379,
        "tx_bytes": 5,
        "rx_bytes": 50,
        "tx_calls": 0,
        "rx_calls": 0,
        "connections": 1,
        "closed": 0,
        "failed_connects": 0,
        "connect_errors": {},
        "retransmits": 0,
        "rtt_us": 300.0,
    }


def test_what_is_not_known_is_not_made_up(filled: Store) -> None:
    (redis, nobody, shop) = ask(filled, "service,pid,peer,peer_service,port", '{node="n2"}').rows
    assert (redis["peer"], redis["peer_service"], redis["port"]) == ("fe80::1", "", None)
    assert (nobody["service"], nobody["pid"], nobody["rtt_us"]) == ("", None, None)
    assert (shop["failed_connects"], shop["connect_errors"]) == (3, {"refused": 2, "other": 1})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{service_name=~"sh.*",port="6379"}', 32),
        ('{service="shop",port!="6379"}', 0),
        ('{container_id=~"c+",node="n1"}', 32),
        ('{unit="redis.service",node="n1"}', 380),
        ('{peer_service!~"redis|",node="n1"}', 380),
        ('{peer="10.0.0.9",peer_service="redis"}', 37),
        ('{family="6"}', 7),
        ('{process="python3"}', 37),
    ],
)
def test_selectors_select(filled: Store, query: str, expected: int) -> None:
    assert sum(sent(filled, "node", query).values()) == expected


@pytest.mark.parametrize(
    ("ago_ms", "expected"),
    [(3 * HOUR_MS, 332), (DAY_MS + HOUR_MS, 3332), (2 * DAY_MS + 1, 3332)],
)
def test_long_ranges_are_read_from_sums_of_hours_exactly(
    filled: Store, ago_ms: int, expected: int
) -> None:
    assert sent(filled, "service", '{service="shop"}', ago_ms) == {("shop",): expected}
    assert sent(filled, "container", '{service="shop"}', ago_ms) == {("c" * 64,): expected}


def test_sums_of_hours_are_those_of_flows(filled: Store) -> None:
    sums = ", ".join(f"sum({name})" for name in COUNTS)
    keys = [name for name in dict.fromkeys(COLUMNS.values()) if name not in ROLLED_UP]
    grouped = f"GROUP BY {', '.join(keys)}, hour ORDER BY {', '.join(keys)}, hour"
    hour = "toUnixTimestamp(toStartOfHour(ts)) AS hour"
    columns = f"SELECT {', '.join(keys)}, {hour}, {sums}"
    raw = filled.rows(f"{columns} FROM flows {grouped}")
    assert raw == filled.rows(f"{columns} FROM flows_1h {grouped}")
    assert len(raw) == 13


@pytest.mark.parametrize(
    ("by", "query", "ago_ms", "text"),
    [
        ("colour", "{}", 1, "flows have no key 'colour'"),
        ("", "{}", 1, "flows have no key ''"),
        ("node", '{colour="red"}', 1, "flows have no label 'colour'"),
        ("node", '{peer=~"("}', 1, "no RE2 expression"),
        ("pid", "{}", 4 * DAY_MS, "pid cannot be told apart before"),
        ("node", "{}", 91 * DAY_MS, "there are no flows before"),
    ],
)
def test_what_cannot_be_answered(
    filled: Store, by: str, query: str, ago_ms: int, text: str
) -> None:
    answer = ask(filled, by, query, ago_ms)
    assert isinstance(answer, Failure) and answer.is_question
    assert text in answer.message


def test_all_keys_can_be_asked_for_at_once(filled: Store) -> None:
    (row,) = ask(filled, ",".join(COLUMNS), '{pid="9"}').rows
    assert [row[name] for name in ("service_name", "peer_address", "peer_pid")] == [
        "cron",
        "10.0.0.9",
        7,
    ]


class Many:
    """A database that has more rows than can be shown."""

    @contextmanager
    def session(self) -> Iterator[Many]:
        yield self

    def ask(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Any:
        return pa.table({"node": ["n"] * int((parameters or {})["most"])})

    def keep(self, name: str, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        raise AssertionError


def test_no_row_is_left_out_silently() -> None:
    question = FlowSums(parse("{}"), Range(NOW - 1, NOW), ("node",), NOW, Retention())
    with pytest.raises(BadQuestionError, match="more than 50,000 rows"):
        question.answer(Many())
