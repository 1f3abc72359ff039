"""Unary calls of Connect, as protobuf or JSON (connectrpc.com/docs/protocol)."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from starlette.requests import Request
from starlette.responses import Response

from ebprof.collector.api.answers import bytes_answer
from ebprof.collector.api.bodies import (
    JSON,
    MEDIA_TYPE,
    MEDIA_TYPES,
    body_of,
    encoding_of,
    media_type_of,
)
from ebprof.collector.receive.refusals import RefusedError
from ebprof.collector.receive.unpack import unpack

EITHER = (*MEDIA_TYPES, JSON)


def is_json(request: Request) -> bool:
    """Whether the call is made in JSON; so is its answer then."""
    return media_type_of(request) == JSON


async def message_of(request: Request, kind: Any, limit: int) -> Any:
    """The message of a call; raises RefusedError."""
    body = await body_of(request, limit, EITHER)
    plain = unpack(body, encoding_of(request), limit)
    try:
        if is_json(request):
            return json_format.Parse(plain, kind())
        return kind.FromString(plain)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError) as error:
        raise RefusedError(f"not a {kind.DESCRIPTOR.full_name}: {error}") from None


def answer(request: Request, message: Any) -> Response:
    """A message in the form of the call."""
    if is_json(request):
        return bytes_answer(json_format.MessageToJson(message, indent=None).encode(), JSON)
    return bytes_answer(message.SerializeToString(), MEDIA_TYPE)
