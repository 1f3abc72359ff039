"""`/-/healthy`, `/-/ready` and `/metrics`: for those who watch over the collector."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ebprof.collector.api.answers import bytes_answer, json_answer
from ebprof.collector.service import Collector
from ebprof.metrics import CONTENT_TYPE

HEALTHY, READY, METRICS = "/-/healthy", "/-/ready", "/metrics"


def routes(collector: Collector) -> list[Route]:
    """Where others look."""

    async def healthy(request: Request) -> Response:
        return bytes_answer(b"ok\n", "text/plain; charset=utf-8")

    async def ready(request: Request) -> Response:
        problems = collector.problems()
        return json_answer({"problems": problems}, 503 if problems else 200)

    async def metrics(request: Request) -> Response:
        return bytes_answer(collector.metrics().encode(), CONTENT_TYPE)

    return [Route(HEALTHY, healthy), Route(READY, ready), Route(METRICS, metrics)]
