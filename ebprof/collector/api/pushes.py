"""Pushes of profiles and of flows: unary calls of the Connect protocol, by POST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ebprof.collector.api.answers import bytes_answer, refusal
from ebprof.collector.api.bodies import MEDIA_TYPE, body_of, encoding_of
from ebprof.collector.receive.refusals import RefusedError
from ebprof.collector.service import Collector
from ebprof.wire import flows, push

PATHS = (push.PATH, flows.PATH)


def routes(collector: Collector) -> list[Route]:
    """Where pushes go to."""
    return [
        _route(collector, push.PATH, collector.push, push.PushResponse),
        _route(collector, flows.PATH, collector.push_flows, flows.FlowResponse),
    ]


def _route(
    collector: Collector,
    path: str,
    accept: Callable[[bytes, str], Awaitable[None]],
    response: Callable[[], Any],
) -> Route:
    async def take(request: Request) -> Response:
        try:
            data = await body_of(request, collector.limits.packed_bytes)
        except RefusedError as error:
            collector.counters.add("pushes_total", label=error.reason)
            return refusal(error)
        try:
            await accept(data, encoding_of(request))
        except RefusedError as error:
            return refusal(error)
        return bytes_answer(response().SerializeToString(), MEDIA_TYPE)

    endpoint: Callable[[Request], object] = take
    return Route(path, endpoint, methods=["POST"])
