"""Senders of pushes whose values are known, for tests that end a collector in the middle."""

from __future__ import annotations

import http.client
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from ebprof.model import SampleType
from ebprof.wire import flows, push
from ebprof.wire.flows import encode
from tests import builders, pushes
from tests.flow_windows import Process, flow, window

TYPE = "allocated:bytes"
_KIND = (SampleType(*TYPE.split(":")),)
_TWO_DAYS_S = 2 * 24 * 3600


@dataclass
class Sender:
    """Pushes profiles and flows until it is told to stop, each push as often as it takes.

    stop: after this push; gives_up: at once, acknowledged or not. acknowledged: values of profiles
    whose push was; sent: values of all. acknowledged_flows, sent_flows: bytes of flows likewise.
    """

    service: str
    port: Callable[[], int]
    stop: threading.Event
    random: random.Random
    gives_up: threading.Event = field(default_factory=threading.Event)
    acknowledged: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    acknowledged_flows: list[int] = field(default_factory=list)
    sent_flows: list[int] = field(default_factory=list)
    attempts: int = 0
    problem: str = ""

    def run(self) -> None:
        while not (self.stop.is_set() or self.gives_up.is_set() or self.problem):
            values = [self.random.randrange(1, 1 << 40) for _ in range(self.random.randint(1, 4))]
            if not self.sent or self.random.random() < 2 / 3:
                self._push_profiles(values)
            else:
                self._push_flows(values)

    def _push_profiles(self, values: list[int]) -> None:
        message = pushes.push(
            *map(self._profile, values),
            labels={"service_name": self.service, "pod": str(self.random.randrange(3))},
            ids=[self._id() for _ in values],
        )
        self.sent += values
        if self._send(push.PATH, message.SerializeToString()):
            self.acknowledged += values

    def _push_flows(self, values: list[int]) -> None:
        sender = Process("sender", self.random.randrange(1, 4), self.service)
        rows = (flow(sender, tx=value, port=self.random.randrange(9)) for value in values)
        message = encode(window(*rows, id=self._id(), at_ns=self._time_ns()))
        self.sent_flows += values
        if self._send(flows.PATH, message.SerializeToString()):
            self.acknowledged_flows += values

    def _id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128)))

    def _time_ns(self) -> int:
        ago_s = self.random.choice([0, self.random.randrange(_TWO_DAYS_S)])
        return time.time_ns() - ago_s * 10**9

    def _profile(self, value: int) -> bytes:
        stack = f"main;f{self.random.randrange(50)};g{self.random.randrange(50)}"
        sample = builders.stack(stack, value, comm="", pid=0, values=(value,))
        return pushes.pprof_bytes(
            builders.profile(sample, time_ns=self._time_ns(), sample_types=_KIND)
        )

    def _send(self, path: str, body: bytes) -> bool:
        while True:
            self.attempts += 1
            connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=60)
            try:
                headers = {"Content-Type": "application/proto"}
                connection.request("POST", path, body, headers)
                status = connection.getresponse().status
            except (OSError, http.client.HTTPException):
                status = 503
            finally:
                connection.close()
            if status == 200:
                return True
            if status not in (429, 503):
                self.problem = f"status {status}"
                return False
            if self.gives_up.is_set():
                return False
            time.sleep(0.05)


def start(senders: list[Sender]) -> list[threading.Thread]:
    """A thread for each."""
    threads = [threading.Thread(target=sender.run, daemon=True) for sender in senders]
    for thread in threads:
        thread.start()
    return threads
