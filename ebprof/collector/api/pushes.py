"""Pushes of profiles and of flows: unary calls of the Connect protocol, by POST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ebprof.collector.api.answers import refusal
from ebprof.collector.api.bodies import MEDIA_TYPES, body_of, encoding_of
from ebprof.collector.api.connect import EITHER, answer, is_json
from ebprof.collector.receive.push import read_json, read_push
from ebprof.collector.receive.refusals import RefusedError
from ebprof.collector.service import Collector
from ebprof.wire import flows, push

PATHS = (push.PATH, flows.PATH)


def routes(collector: Collector) -> list[Route]:
    """Where pushes go to."""

    async def profiles(request: Request, data: bytes) -> Response:
        read = read_json if is_json(request) else read_push
        await collector.push(data, encoding_of(request), read)
        return answer(request, push.PushResponse())

    async def flow_window(request: Request, data: bytes) -> Response:
        await collector.push_flows(data, encoding_of(request))
        return answer(request, flows.FlowResponse())

    return [
        _route(collector, push.PATH, EITHER, profiles),
        _route(collector, flows.PATH, MEDIA_TYPES, flow_window),
    ]


def _route(
    collector: Collector,
    path: str,
    media_types: Sequence[str],
    accept: Callable[[Request, bytes], Awaitable[Response]],
) -> Route:
    async def take(request: Request) -> Response:
        try:
            with collector.refusals_counted():
                data = await body_of(request, collector.limits.packed_bytes, media_types)
            return await accept(request, data)
        except RefusedError as error:
            return refusal(error)

    endpoint: Callable[[Request], object] = take
    return Route(path, endpoint, methods=["POST"])
