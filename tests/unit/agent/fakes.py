"""A run without a kernel, and a collector that answers what it is told to."""

from __future__ import annotations

import gzip
import http.server
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult

from ebprof.agent.figures import METRICS, PREFIX
from ebprof.agent.sender import Answer
from ebprof.collector.symbols.files import ObjectFiles
from ebprof.collector.symbols.uploads import Offer, Uploads
from ebprof.metrics import Counters
from ebprof.model import Profile, Sample, samples_of
from ebprof.sampling.accounts import Figures
from ebprof.sampling.windows import Window
from ebprof.wire import flows, symbols
from ebprof.wire.push import PATH, PushRequest
from tests import builders
from tests.hot import CLOCK, taken


def counters() -> Counters:
    return Counters(PREFIX, METRICS)


def profile(*samples: Sample | str, **fields: Any) -> Profile:
    """A window of samples."""
    return builders.profile(*samples, **fields)


class FakeRun:
    """Brings what is put into `pending` at the next take. lag: windows that have no names yet.
    hears: whether processes change.
    """

    tend_s = 0.01
    sampled = CLOCK

    def __init__(self) -> None:
        self.pending: list[Sample | str] = []
        self.losing: dict[str, int] = {"ring_full": 0}
        self.lag = 0
        self.takes = 0
        self.hears = True
        self.is_stopped = False
        self.frequencies: list[int] = []
        self.renewals = 0
        self.accounts = self
        self._waiting: list[Window] = []
        self._total = 0
        self.fd, self._other_end = os.pipe()

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._other_end)

    def start(self) -> float:
        return 0.0

    def tend(self) -> bool:
        return self.hears

    def take(self) -> None:
        self.takes += 1
        found = taken(*self.pending) if self.pending else samples_of(())
        self._total += found.total
        now = time.monotonic()
        self._waiting.append(Window(found, now, now))
        self.pending = []

    def set_frequency(self, frequency: int) -> None:
        self.frequencies.append(frequency)

    def renew_labels(self) -> None:
        self.renewals += 1

    def named(self, wait_s: float = 0.0) -> list[Window]:
        ready = max(0, len(self._waiting) - self.lag)
        found, self._waiting = self._waiting[:ready], self._waiting[ready:]
        return found

    def stop(self) -> float:
        self.is_stopped = True
        return 0.0

    def finish(self) -> Iterator[Window]:
        assert self.is_stopped
        self.lag = 0
        self.take()
        return iter(self.named())

    def losses(self) -> dict[str, int]:
        return dict(self.losing)

    def figures(self) -> Figures:
        lost = sum(self.losing.values())
        return Figures(self._total + lost, self._total, lost, {"complete": self._total}, 0.5)


class FakeCollector:
    """Keeps pushes; answers with `statuses` first, then with 200.

    knows_flows: as Pyroscope does not.
    """

    knows_flows = True

    def __init__(self, *statuses: int, headers: dict[str, str] | None = None) -> None:
        self.statuses = list(statuses)
        self.headers = headers or {}
        self.tried: list[bytes] = []
        self.accepted: dict[str, Any] = {}
        self.flows: dict[str, flows.FlowWindow] = {}
        self.seen: list[dict[str, str]] = []
        ours = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                ours.take(self)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> FakeCollector:
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, request: http.server.BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        assert request.path in (PATH, flows.PATH)
        self.seen.append({name.lower(): value for name, value in request.headers.items()})
        self.tried.append(body)
        status = self.statuses.pop(0) if self.statuses else 200
        if request.path == flows.PATH and not self.knows_flows:
            status = 404
        if status == 200 and request.path == flows.PATH:
            message = flows.parse(gzip.decompress(body))
            self.flows[message.id] = flows.decode(message)
        elif status == 200:
            for series in PushRequest.FromString(gzip.decompress(body)).series:
                for sample in series.samples:
                    self.accepted[sample.ID] = series
        request.send_response(status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    @property
    def total(self) -> int:
        """CPU samples of all that was accepted, each once."""
        return sum(samples_in(series) for series in list(self.accepted.values()))


def samples_in(series: Any) -> int:
    """CPU samples of a series of one profile."""
    return decoded(series).total if labels(series)["__name__"] == "process_cpu" else 0


def decoded(series: Any) -> Profile:
    """The one profile of a series, its number of samples shown."""
    import io

    from ebprof.output import pprof
    from ebprof.output._types import select

    (sample,) = series.samples
    return select(pprof.read(io.BytesIO(sample.raw_profile)), "0", "profile")


def labels(series: Any) -> dict[str, str]:
    return {one.name: one.value for one in series.labels}


class Service:
    """What a collector has of the service, behind `send` of `Collectors`."""

    def __init__(self, path: Path) -> None:
        self.files = ObjectFiles(path, 1 << 30)
        self.uploads = Uploads(self.files, lambda identity: None)
        self.failures: list[OSError | int] = []
        self.wants = self.parts = 0

    def send(self, url: SplitResult, body: bytes, token: str, path: str, media_type: str) -> Answer:
        data = gzip.decompress(body)
        if path == symbols.WANT_PATH:
            self.wants += 1
            return self._answer(self._want(data))
        self.parts += 1
        failure = self.failures.pop(0) if self.failures and self.parts > 1 else None
        if isinstance(failure, OSError):
            raise failure
        return Answer(failure) if failure else self._answer(self._take(data))

    def _want(self, data: bytes) -> object:
        request, answer = symbols.WantRequest.FromString(data), symbols.WantResponse()
        for one in request.offers:
            offer = Offer(request.sender, one.id, one.is_debug, one.quality, one.size)
            verdict, offset = self.uploads.decide(offer)
            answer.decisions.add(verdict=int(verdict), offset=offset)
        return answer

    def _take(self, data: bytes) -> object:
        request = symbols.UploadRequest.FromString(data)
        one = request.offer
        offer = Offer(request.sender, one.id, one.is_debug, one.quality, one.size)
        progress = self.uploads.take(offer, request.offset, request.data, request.sha256)
        return symbols.UploadResponse(offset=progress.offset, is_kept=progress.is_kept)

    def _answer(self, message: object) -> Answer:
        return Answer(200, body=message.SerializeToString())  # type: ignore[attr-defined]
