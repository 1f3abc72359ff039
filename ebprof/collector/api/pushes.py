"""Pushes of profiles and of flows: unary calls of the Connect protocol, by POST."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ebprof.collector.api.answers import bytes_answer, refusal
from ebprof.collector.receive.refusals import MediaError, RefusedError, TooLargeError
from ebprof.collector.service import Collector
from ebprof.wire import flows, push

PATHS = (push.PATH, flows.PATH)
MEDIA_TYPE = "application/proto"
_MEDIA_TYPES = (MEDIA_TYPE, "application/x-protobuf")
BODY_S = 60
"""How long a body may take to arrive."""


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
            _check_media_type(request)
            data = await _body(request, collector.limits.packed_bytes)
        except RefusedError as error:
            collector.counters.add("pushes_total", label=error.reason)
            return refusal(error)
        try:
            await accept(data, request.headers.get("content-encoding", ""))
        except RefusedError as error:
            return refusal(error)
        return bytes_answer(response().SerializeToString(), MEDIA_TYPE)

    endpoint: Callable[[Request], object] = take
    return Route(path, endpoint, methods=["POST"])


def _check_media_type(request: Request) -> None:
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in _MEDIA_TYPES:
        raise MediaError(f"cannot read Content-Type {found[:64]!r}", f"send {MEDIA_TYPE}")


async def _body(request: Request, limit: int) -> bytes:
    """The body as it is sent; raises RefusedError as soon as it is too large, or too slow."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    try:
        return await asyncio.wait_for(_read(request, limit), BODY_S)
    except asyncio.TimeoutError:
        raise RefusedError(f"the body took longer than {BODY_S} s") from None
    except ClientDisconnect:
        raise RefusedError("the sender went away") from None


async def _read(request: Request, limit: int) -> bytes:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > limit:
            raise _too_large(limit)
    return bytes(data)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"push has more than {limit >> 20} MiB", "send less at once")
