"""What services used and moved, of known pushes in a store of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ebprof.collector.query.flow_points import FlowPoints, FlowPointsAnswer
from ebprof.collector.query.flows import FlowSums
from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.query.selector import parse
from ebprof.collector.query.services import Services, ServicesAnswer
from ebprof.collector.query.times import Range
from ebprof.collector.receive import records
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.wire import Failure
from ebprof.wire.flows import encode
from tests import builders, collector_extra, pushes
from tests.flow_windows import Process, flow, window
from tests.stored import Store, store

collector_extra.need()
HOUR = time.time_ns() // 10**6 // HOUR_MS * HOUR_MS
NOW = HOUR + 1_800_000
MS = 1_000_000
REDIS, SHOP = Process("redis-server", 7, "redis"), Process("python3", 8, "shop")


def cpu(count: int, ago_ms: int) -> bytes:
    sample = builders.stack("main;f", count, pid=0, comm="")
    return pushes.pprof_bytes(builders.profile(sample, period=MS, time_ns=(NOW - ago_ms) * MS))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Redis, and a shop that calls it; an hour ago too, and two days ago."""
    path = tmp_path_factory.mktemp("services")
    agos = (5_000, 65_000, HOUR_MS, 2 * DAY_MS)
    message = pushes.push(
        *(cpu(count, ago) for count, ago in zip((1, 2, 4, 8), agos, strict=True)),
        labels={"service_name": "redis", "node": "n1", "build": "1"},
    )
    pushes.add_series(message, cpu(100, 5_000), labels={"service_name": "search", "node": "n2"})
    windows = [
        window(
            flow(REDIS, "server", tx=10 * count, rx_bytes=count, connections=1, peer=SHOP),
            flow(SHOP, tx=count, rx_bytes=10 * count, refused=2, peer=REDIS),
            at_ns=(NOW - ago) * MS,
        )
        for count, ago in zip((1, 2, 4, 8), agos, strict=True)
    ]
    flows = [records.of_flows(1, encode(one)).message() for one in windows]
    with store(path) as one:
        one.write(path / "segment", message, *flows)
        yield one


def services(
    filled: Store, query: str = "{}", ago_ms: int = 600_000, by: str = "service"
) -> ServicesAnswer:
    question = Services(parse(query), Range(NOW - ago_ms, NOW), by, NOW, Retention())
    answer = filled.request(question)
    assert isinstance(answer, ServicesAnswer), answer
    return answer


def points(filled: Store, by: str, ago_ms: int, step_ms: int) -> FlowPointsAnswer:
    within = Range(NOW - ago_ms, NOW)
    sums = FlowSums(parse('{service="redis"}'), within, (by,), NOW, Retention())
    answer = filled.request(FlowPoints(sums, step_ms))
    assert isinstance(answer, FlowPointsAnswer), answer
    return answer


def test_services_with_what_they_used_and_moved(filled: Store) -> None:
    answer = services(filled)
    assert [one.name for one in answer.services] == ["search", "redis", "shop"]
    search, redis, shop = answer.services
    assert (search.cpu, redis.cpu, shop.cpu) == (100 * MS, 3 * MS, 0)
    assert redis.traffic == (30, 3, 2, 0, 0)
    assert shop.traffic == (3, 30, 0, 4, 0)
    assert search.traffic == (0, 0, 0, 0, 0)


def test_points_add_up_to_sums_and_stand_where_they_were(filled: Store) -> None:
    answer = services(filled)
    redis = answer.services[1]
    assert answer.step_ms == 20_000
    assert len(redis.cpu_points) == len(redis.byte_points or ()) == 30
    assert (redis.cpu_points[-1], redis.cpu_points[-4]) == (MS, 2 * MS)
    assert redis.byte_points is not None
    assert (redis.byte_points[-1], redis.byte_points[-4], sum(redis.byte_points)) == (11, 22, 33)


def test_long_ranges_are_read_by_the_hour(filled: Store) -> None:
    answer = services(filled, ago_ms=3 * DAY_MS)
    redis = next(one for one in answer.services if one.name == "redis")
    assert answer.step_ms == 2 * HOUR_MS
    assert redis.cpu == 15 * MS
    assert (redis.traffic or ())[:2] == (150, 15)


def test_groups_by_a_label(filled: Store) -> None:
    by_node = services(filled, by="node")
    assert {one.name: one.cpu for one in by_node.services} == {"n2": 100 * MS, "n1": 3 * MS}
    by_build = services(filled, by="build")
    assert {one.name: one.cpu for one in by_build.services} == {"": 100 * MS, "1": 3 * MS}
    assert all(one.traffic is None for one in by_build.services)


@pytest.mark.parametrize("query", ['{service="redis"}', '{service_name="redis"}'])
def test_a_selector_is_of_profiles_and_of_flows(filled: Store, query: str) -> None:
    (redis,) = services(filled, query).services
    assert (redis.name, redis.cpu, redis.traffic) == ("redis", 3 * MS, (30, 3, 2, 0, 0))


def test_a_label_of_profiles_alone_selects_no_traffic(filled: Store) -> None:
    (redis,) = services(filled, '{build="1"}').services
    assert (redis.cpu, redis.traffic, redis.byte_points) == (3 * MS, None, None)


def test_flows_over_time(filled: Store) -> None:
    answer = points(filled, "peer_service", 600_000, 60_000)
    (shop,) = answer.series
    assert shop.keys == {"peer_service": "shop"}
    assert [one[1:] for one in shop.points] == [(20, 2, 1, 0, 0), (10, 1, 1, 0, 0)]
    assert shop.points[1][0] - shop.points[0][0] == 60
    (shop,) = points(filled, "peer_service", 3 * DAY_MS, HOUR_MS).series
    assert sum(one[1] for one in shop.points) == 150


def test_pids_of_long_ranges_are_flows_as_they_came(filled: Store) -> None:
    (redis,) = points(filled, "pid", 2 * DAY_MS, 60_000).series
    assert redis.keys == {"pid": 7}
    assert [one[1] for one in redis.points] == [80, 40, 20, 10]


def test_a_label_that_nothing_has_is_refused(filled: Store) -> None:
    question = Services(parse("{}"), Range(NOW - 1000, NOW), "x", NOW, Retention())
    answer = filled.request(question)
    assert isinstance(answer, Failure) and answer.is_question
