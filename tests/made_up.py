"""Services that were made up, for pages: what they used, whom they called, pushed to a collector.

The same services are there in each window of 10 s. In the second half of the time, `search` is
another build with a function that has grown, and `redis` has a caller that is new.
"""

from __future__ import annotations

import gzip
import io
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebprof.model import Profile, Sample, SampleType
from ebprof.output import pprof
from ebprof.wire import flows, push
from ebprof.wire.flows import encode
from ebprof.wire.push import PushRequest
from tests import builders
from tests.collecting import Answer, Running
from tests.flow_windows import Flow, Process, flow, window

WINDOW_S = 10
AT_ONCE = 8
HEADERS = {"Content-Type": "application/proto", "Content-Encoding": "gzip"}
PERIOD_NS = 10_000_000
HOSTILE = "<script>document.title='x'</script>"
SLOW = "RankTree::score(Query const&, unsigned long)"
NODES = ("a", "b", "c")


@dataclass(frozen=True)
class Service:
    """A service; stacks: as `builders.stack` has them, with samples a window."""

    name: str
    stacks: tuple[tuple[str, int], ...]
    node: str = "a"
    build: str = "91c0"

    @property
    def process(self) -> Process:
        """Its process on its node."""
        return Process(self.name[:15], 1000 + sum(map(ord, self.name)) % 30_000, self.name)


def few() -> list[Service]:
    """Search, what it asks, and one with a hostile name."""
    start = "_start;__libc_start_main;main"
    return [
        Service(
            "search",
            (
                (f"{start};serve;parse(Query&);tokenize_[i];next_utf8", 40),
                (f"{start};serve;Index::find(Term);Postings::advance", 110),
                (f"{start};serve;Index::find(Term);{SLOW}", 20),
                (f"{start};serve;reply;write;do_syscall_64_[k];ksys_write_[k];tcp_sendmsg_[k]", 35),
                (f"{start};collect;collect;collect;mark", 12),
                (f"{start};log;flush;write;do_syscall_64_[k];vfs_write_[k]", 2),
            ),
        ),
        Service(
            "redis",
            (
                (f"{start};aeMain;readQueryFromClient;processCommand;getCommand;lookupKey", 30),
                (f"{start};aeMain;readQueryFromClient;read;do_syscall_64_[k];tcp_recvmsg_[k]", 25),
                (f"{start};aeMain;writeToClient;write;do_syscall_64_[k];tcp_sendmsg_[k]", 33),
            ),
            node="b",
        ),
        Service("web", ((f"{start};evbuffer_write;writev;do_syscall_64_[k]", 9),), node="c"),
        Service(HOSTILE, ((f"main;{HOSTILE};<img src=x onerror=alert(1)>", 3),), node="c"),
    ]


def many(count: int) -> list[Service]:
    """So many services, of 20 stacks each."""
    random = np.random.default_rng(7)
    names = [f"ns::Class{number % 37}::method_{number}(int)" for number in range(400)]
    found = []
    for number in range(count):
        stacks = []
        for _ in range(20):
            inner = random.integers(0, len(names), int(random.integers(3, 20)))
            path = ["_start", "main", f"loop_{number}", *(names[one] for one in inner)]
            stacks.append((";".join(path), int(random.geometric(0.4))))
        found.append(Service(f"svc-{number:03d}", tuple(stacks), NODES[number % 3]))
    return found


def fill(
    running: Running, services: Sequence[Service], *, minutes: int, end_s: int | None = None
) -> None:
    """Push windows up to a time, by default now, and wait until they are stored."""
    end = (end_s or int(time.time())) // WINDOW_S * WINDOW_S
    starts = range(end - 60 * minutes, end, WINDOW_S)
    bodies = [(push.PATH, one) for one in _profiles(services, starts)]
    bodies += [(flows.PATH, one) for one in _windows(services, starts)]

    def post(one: tuple[str, bytes]) -> Answer:
        return running.request("POST", one[0], one[1], HEADERS)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for answer in pool.map(post, bodies):
            assert answer.status == 200, answer.body
    running.wait_until_stored()


def _profiles(services: Sequence[Service], starts: range) -> Iterator[bytes]:
    for group in (starts[at : at + 30] for at in range(0, len(starts), 30)):
        for message in _pushes(services, group, starts):
            yield gzip.compress(message.SerializeToString(), 1)


def _windows(services: Sequence[Service], starts: range) -> Iterator[bytes]:
    for start in starts:
        is_late = start >= starts[len(starts) // 2]
        for node in NODES:
            moved = [*_flows(services, node, is_late)]
            message = encode(window(*moved, node=node, at_ns=start * 10**9))
            yield gzip.compress(message.SerializeToString(), 1)


def _pushes(services: Sequence[Service], group: range, starts: range) -> Iterator[Any]:
    """One for some services at a time: all their windows."""
    for at in range(0, len(services), 20):
        message: Any = PushRequest()
        for service in services[at : at + 20]:
            _add(message, service, group, starts)
        yield message
    message = PushRequest()
    for node in NODES:
        labels = {"__name__": "ebprof_status", "service_name": "ebprof-agent", "node": node}
        labels |= {"process": "ebprof-agent", "version": "0.1.0"}
        taken = _watched(node, group, starts)
        _series(message, labels, [_status(start, starts) for start in taken])
    yield message


def _add(message: Any, service: Service, group: range, starts: range) -> None:
    for build in dict.fromkeys((service.build, _build(service, starts[-1], starts))):
        labels = {"__name__": "process_cpu", "service_name": service.name, "node": service.node}
        labels |= {"process": service.name[:15], "build": build}
        watched = _watched(service.node, group, starts)
        chosen = [one for one in watched if _build(service, one, starts) == build]
        _series(message, labels, [_profile(service, one, starts) for one in chosen])


def _watched(node: str, group: range, starts: range) -> list[int]:
    """Windows of a node: the agent of the last one has gone away two minutes before the end."""
    return [one for one in group if node != NODES[-1] or one < starts[-1] - 110]


def _series(message: Any, labels: dict[str, str], profiles: list[Profile]) -> None:
    if not profiles:
        return
    series = message.series.add()
    for name, value in labels.items():
        series.labels.add(name=name, value=value)
    for one in profiles:
        file = io.BytesIO()
        pprof.write(one, file)
        series.samples.add(raw_profile=file.getvalue(), ID=str(uuid.uuid4()))


def _build(service: Service, start: int, starts: range) -> str:
    is_late = start >= starts[len(starts) // 2]
    return "3f2a" if service.name == "search" and is_late else service.build


def _profile(service: Service, start: int, starts: range) -> Profile:
    """A window: counts go up and down, and SLOW grows five-fold."""
    random = np.random.default_rng(start + len(service.name))
    is_late = start >= starts[len(starts) // 2]
    samples = []
    for text, count in service.stacks:
        factor = (6 if SLOW in text and is_late else 1) * (0.8 + 0.4 * random.random())
        samples.append(builders.stack(text, max(1, round(count * factor)), comm="", pid=0))
    return builders.profile(*samples, period=PERIOD_NS, time_ns=start * 10**9)


def _status(start: int, starts: range) -> Profile:
    number = (start - starts[0]) // WINDOW_S
    types = tuple(SampleType(*one) for one in _STATUS)
    values = (190, number, 0)
    sample: Sample = builders.stack("", 190, comm="", pid=0, values=values)
    return builders.profile(sample, time_ns=start * 10**9, sample_types=types)


_STATUS = (("ebprof_samples", "count"), ("ebprof_window", "number"), ("ebprof_spool", "bytes"))


def _flows(services: Sequence[Service], node: str, is_late: bool) -> Iterator[Flow]:
    """Each service is called by the next one; redis by `reindexer` too, in the second half."""
    for number, one in enumerate(services):
        if one.node != node:
            continue
        caller, callee = services[number - 1].process, services[(number + 1) % len(services)]
        size = 20_000 * (1 + number % 7)
        asked = 20_000 * (1 + (number + 1) % len(services) % 7)
        yield flow(
            one.process,
            "server",
            tx=10 * size,
            rx_bytes=size,
            connections=3,
            peer=caller,
            port=6379 if one.name == "redis" else 8000 + number % 1000,
            rtt_sum=9_000,
            rtt_count=10,
        )
        yield flow(
            one.process,
            tx=asked,
            rx_bytes=10 * asked,
            connections=3,
            peer=callee.process,
            refused=int(number == 0),
        )
        if one.name == "redis" and is_late:
            reindexer = Process("reindexer", 8317)
            yield flow(one.process, "server", tx=1_000, rx_bytes=40 * size, peer=reindexer)
        if one.name == "web":
            for caller_number in range(20):
                address = f"198.51.100.{caller_number}"
                yield flow(one.process, "server", tx=9_000, rx_bytes=700, port=443, address=address)
            yield flow(one.process, tx=3_000, rx_bytes=400, port=443, address="203.0.113.9")
