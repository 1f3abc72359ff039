"""Bodies of Connect's unary calls: protobuf, within a bound of bytes and of time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from ebprof.collector.receive.refusals import MediaError, RefusedError, TooLargeError

MEDIA_TYPE = "application/proto"
_MEDIA_TYPES = (MEDIA_TYPE, "application/x-protobuf")
BODY_S = 60
"""How long a body may take to arrive."""


async def body_of(request: Request, limit: int) -> bytes:
    """The body as it is sent; raises RefusedError as soon as it is too large, or too slow."""
    _check_media_type(request)
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


def _check_media_type(request: Request) -> None:
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in _MEDIA_TYPES:
        raise MediaError(f"cannot read Content-Type {found[:64]!r}", f"send {MEDIA_TYPE}")


async def _read(request: Request, limit: int) -> bytes:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > limit:
            raise _too_large(limit)
    return bytes(data)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"push has more than {limit >> 20} MiB", "send less at once")
