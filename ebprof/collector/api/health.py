"""`/-/healthy`, `/-/ready` and `/metrics`: for those who watch over the collector."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ebprof import __version__
from ebprof.address import Place, UnixAddress, short_name
from ebprof.collector.api.answers import bytes_answer, json_answer
from ebprof.collector.service import Collector
from ebprof.metrics import CONTENT_TYPE

HEALTHY, READY, METRICS = "/-/healthy", "/-/ready", "/metrics"

_OTHER_S = 2.0
_MOST_READ = 1 << 20


async def other_metrics(place: Place) -> bytes:
    """The page of metrics of another program on this machine; empty where it does not answer."""
    with suppress(OSError, asyncio.TimeoutError, asyncio.LimitOverrunError):
        return await asyncio.wait_for(_page(place), _OTHER_S)
    return b""


async def _page(place: Place) -> bytes:
    if isinstance(place, UnixAddress):
        with short_name(place.path) as name:
            reader, writer = await asyncio.open_unix_connection(name)
    else:
        reader, writer = await asyncio.open_connection(place.host, place.port)
    try:
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = bytearray()
        while len(answer) < _MOST_READ and (part := await reader.read(_MOST_READ)):
            answer += part
    finally:
        writer.close()
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    return body if head.split(b" ", 2)[1:2] == [b"200"] else b""


def routes(collector: Collector, metrics_of: Place | None = None) -> list[Route]:
    """Where others look. metrics_of: a server whose metrics are added to ours."""

    async def healthy(request: Request) -> Response:
        return bytes_answer(b"ok\n", "text/plain; charset=utf-8")

    async def ready(request: Request) -> Response:
        problems = collector.problems()
        checks = [asdict(one) for one in collector.checks()]
        said = {"problems": problems, "checks": checks, "version": __version__}
        return json_answer(said, 503 if problems else 200)

    async def metrics(request: Request) -> Response:
        text = collector.metrics().encode()
        if metrics_of is not None:
            text += await other_metrics(metrics_of)
        return bytes_answer(text, CONTENT_TYPE)

    return [Route(HEALTHY, healthy), Route(READY, ready), Route(METRICS, metrics)]
