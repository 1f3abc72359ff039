"""Bodies of requests, within a bound of bytes and of time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request

from ebprof.collector.receive.refusals import MediaError, RefusedError, TooLargeError

MEDIA_TYPE = "application/proto"
MEDIA_TYPES = (MEDIA_TYPE, "application/x-protobuf")
"""Names of the same."""
JSON = "application/json"
BODY_S = 60
"""How long a body may take to arrive."""


async def body_of(request: Request, limit: int, media_types: Sequence[str] = MEDIA_TYPES) -> bytes:
    """The body of one of these media types, as it is sent; raises RefusedError as `read_body`."""
    found = media_type_of(request)
    if found not in media_types:
        hint = f"send {' or '.join(one for one in media_types if one != MEDIA_TYPES[1])}"
        raise MediaError(f"cannot read Content-Type {found[:64]!r}", hint)
    return await read_body(request, limit)


async def read_body(request: Request, limit: int) -> bytes:
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


def encoding_of(request: Request) -> str:
    """How the body is packed."""
    return request.headers.get("content-encoding", "")


def media_type_of(request: Request) -> str:
    """What the body is, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read(request: Request, limit: int) -> bytes:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > limit:
            raise _too_large(limit)
    return bytes(data)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"push has more than {limit >> 20} MiB", "send less at once")
