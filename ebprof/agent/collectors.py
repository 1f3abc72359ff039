"""Where pushes go: the preferred collector while it answers, else the next one."""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from urllib.parse import SplitResult

from ebprof.agent.kinds import PROFILES, Kind
from ebprof.agent.sender import Answer, parse_url
from ebprof.errors import BadFileError
from ebprof.metrics import Counters

FIRST_S, LONGEST_S = 1.0, 60.0
"""Waits after the first failure and after many."""
LONGEST_AFTER_S = 300.0
"""What a collector asks for with Retry-After is heeded up to this."""


class Outcome(Enum):
    """What became of a push."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    LATER = "retried"


Send = Callable[[SplitResult, bytes, str, str, str], Answer]
"""Sends a body with a token (empty for none) to a path, as of a media type; raises OSError or
HTTPException without answer.
"""


@dataclass(slots=True)
class _Target:
    url: SplitResult
    failures: int = 0
    retry_at: float = 0.0


class Collectors:
    """Pushes to one of several. They are in an order of their own for each node, so that nodes are
    spread over them and each stays with one.

    token: is asked for each push, and raises BadFileError.
    """

    def __init__(
        self,
        urls: Iterable[str],
        node: str,
        counters: Counters,
        token: Callable[[], str],
        send: Send,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._targets = [_Target(parse_url(one)) for one in _in_order(urls, node)]
        self._counters = counters
        self._token = token
        self._send = send
        self._clock = clock
        self._last: _Target = self._targets[0]
        self.problem = ""

    @property
    def wait_s(self) -> float:
        """How long none of them should be asked."""
        return max(0.0, min(one.retry_at for one in self._targets) - self._clock())

    @property
    def url(self) -> str:
        """Of the collector that the last push went to."""
        return self._last.url.geturl()

    def call(self, path: str, body: bytes) -> Answer:
        """Ask that collector something else; raises OSError, HTTPException or BadFileError."""
        return self._send(self._last.url, body, self._token(), path, PROFILES.media_type)

    def push(self, body: bytes, kind: Kind = PROFILES) -> Outcome:
        """Push to the first one that may be asked. problem: why it did not take it, or not all."""
        now = self._clock()
        target = next((one for one in self._targets if one.retry_at <= now), self._targets[0])
        if target is not self._last and target is not self._targets[0]:
            self._counters.add("failovers_total")
        self._last = target
        outcome = self._try(target, body, kind)
        self._counters.add("pushes_total", label=outcome.value)
        return outcome

    def _try(self, target: _Target, body: bytes, kind: Kind) -> Outcome:
        where = target.url.geturl()
        try:
            answer = self._send(target.url, body, self._token(), kind.path, kind.media_type)
        except (OSError, http.client.HTTPException, BadFileError) as error:
            self.problem = f"no answer from {where}: {str(error) or type(error).__name__}"
            self._put_off(target, "")
            return Outcome.LATER
        if 200 <= answer.status < 300:
            target.failures, target.retry_at = 0, 0.0
            self.problem = kind.problem(answer.body)
            return Outcome.ACCEPTED
        self.problem = f"{where} answers {answer.status} to {kind.path}"
        if answer.status in kind.refused:
            return Outcome.REFUSED
        self._put_off(target, answer.retry_after)
        return Outcome.LATER

    def _put_off(self, target: _Target, retry_after: str) -> None:
        """Waits double, and are of random length, so that not all agents come back at once."""
        longest = min(LONGEST_S, FIRST_S * 2 ** min(target.failures, 16))
        wait = longest * random.uniform(0.5, 1.0)
        if retry_after.isascii() and retry_after.isdigit():
            wait = max(wait, min(LONGEST_AFTER_S, float(retry_after[:9])))
        target.failures += 1
        target.retry_at = self._clock() + wait


def _in_order(urls: Iterable[str], node: str) -> list[str]:
    """By the hash of URL and node (rendezvous hashing): one that is added or goes moves few."""
    return sorted(set(urls), key=lambda url: blake2b(f"{url}\0{node}".encode()).digest())
