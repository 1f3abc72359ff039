"""Whatever is killed, and whenever: what was acknowledged is stored once, and rollups agree.

EBPROF_CRASHES says how often something is killed: twice here, 200 times by `make crashes`.
"""

from __future__ import annotations

import http.client
import os
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ebprof.model import SampleType
from tests import builders, pushes
from tests.collecting import Running
from tests.stored import store

for needed in ("chdb", "starlette", "uvicorn"):
    pytest.importorskip(needed)
CRASHES = int(os.environ.get("EBPROF_CRASHES", "2"))
SENDERS = 3
LONGEST_S = 4.0
TWO_DAYS_S = 2 * 24 * 3600
KIND = (SampleType("allocated", "bytes"),)


@dataclass
class Sender:
    """Pushes until it is told to stop, each push as often as it takes. acknowledged: by service."""

    service: str
    port: Callable[[], int]
    stop: threading.Event
    random: random.Random
    acknowledged: Counter[str] = field(default_factory=Counter)
    profiles: int = 0
    attempts: int = 0
    problem: str = ""

    def run(self) -> None:
        while not self.stop.is_set() and not self.problem:
            values = [self.random.randrange(1, 1 << 40) for _ in range(self.random.randint(1, 4))]
            message = pushes.push(
                *map(self._profile, values),
                labels={"service_name": self.service, "pod": str(self.random.randrange(3))},
                ids=[str(uuid.UUID(int=self.random.getrandbits(128))) for _ in values],
            )
            self._send(message.SerializeToString())
            self.acknowledged[self.service] += sum(values)
            self.profiles += len(values)

    def _profile(self, value: int) -> bytes:
        stack = f"main;f{self.random.randrange(50)};g{self.random.randrange(50)}"
        sample = builders.stack(stack, value, comm="", pid=0, values=(value,))
        ago_s = self.random.choice([0, self.random.randrange(TWO_DAYS_S)])
        time_ns = time.time_ns() - ago_s * 10**9
        return pushes.pprof_bytes(builders.profile(sample, time_ns=time_ns, sample_types=KIND))

    def _send(self, body: bytes) -> None:
        while True:
            self.attempts += 1
            connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=60)
            try:
                headers = {"Content-Type": "application/proto"}
                connection.request("POST", "/push.v1.PusherService/Push", body, headers)
                status = connection.getresponse().status
            except (OSError, http.client.HTTPException):
                status = 503
            finally:
                connection.close()
            if status == 200:
                return
            if status not in (429, 503):
                self.problem = f"status {status}"
                return
            time.sleep(0.05)


def test_what_is_acknowledged_is_stored_once(tmp_path: Path) -> None:
    seed = int(os.environ.get("EBPROF_SEED") or random.randrange(1 << 32))
    print(f"EBPROF_SEED={seed}")
    chance = random.Random(seed)
    data = tmp_path / "data"
    stop = threading.Event()
    current = [Running(data)]
    senders = [
        Sender(f"s{number}", lambda: current[0].port, stop, random.Random(seed + number + 1))
        for number in range(SENDERS)
    ]
    threads = [threading.Thread(target=sender.run, daemon=True) for sender in senders]
    for thread in threads:
        thread.start()
    for _ in range(CRASHES):
        time.sleep(chance.uniform(0, LONGEST_S))
        crash(current, data, chance.choice(("collector", "store", "both")))
    stop.set()
    for thread in threads:
        thread.join(120)
    current[0].wait_until_stored()
    current[0].end()
    assert [sender.problem for sender in senders if sender.problem] == []
    expected = {sender.service: sender.acknowledged[sender.service] for sender in senders}
    profiles = sum(sender.profiles for sender in senders)
    print(f"{profiles} profiles in {sum(sender.attempts for sender in senders)} attempts")
    with store(tmp_path / "data") as one:
        for table in ("samples", "samples_1h", "samples_1d"):
            rows = one.rows(f"SELECT service, sum(value) FROM {table} GROUP BY service")
            assert dict(rows) == expected, table
        assert one.rows("SELECT count() FROM samples") == [(profiles,)]
        lost = "SELECT count() FROM samples WHERE stack_id NOT IN (SELECT stack_id FROM stacks)"
        assert one.rows(lost) == [(0,)]
        lost = "SELECT count() FROM samples WHERE series_id NOT IN (SELECT series_id FROM series)"
        assert one.rows(lost) == [(0,)]


def crash(current: list[Running], data: Path, victim: str) -> None:
    """Kill a process or both; the collector is started again, and starts its store again itself."""
    if victim != "collector":
        current[0].kill_store()
    if victim != "store":
        current[0].kill()
        current[0] = Running(data)
