"""Answers of all endpoints: JSON, and errors as `{"error": ..., "hint": ...}`."""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ebprof.collector.receive.refusals import RefusedError
from ebprof.walls import describe

_COMMON = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A value as JSON."""
    body = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    return bytes_answer(body, "application/json", status, headers)


def bytes_answer(
    body: bytes, media_type: str, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Bytes of a media type."""
    return Response(body, status, _COMMON | (headers or {}), media_type)


def error(status: int, message: str, hint: str, headers: dict[str, str] | None = None) -> Response:
    """What went wrong, and what to do."""
    return json_answer({"error": message, "hint": hint}, status, headers)


def refusal(found: RefusedError) -> Response:
    """A refused push, as Connect has errors (connectrpc.com/docs/protocol)."""
    message = f"{found.message}: {found.hint}" if found.hint else found.message
    headers = {}
    if found.retry_after_s is not None:
        headers["Retry-After"] = str(found.retry_after_s)
    if found.status == 415:
        headers |= {
            "Accept-Post": "application/proto",
            "Accept-Encoding": "gzip, identity",
        }
    return json_answer({"code": found.code, "message": message}, found.status, headers)


def on_http_error(request: Request, found: Exception) -> Response:
    """What starlette raises: a path or a method that there is not."""
    assert isinstance(found, HTTPException)
    hints = {404: "docs/api.md has all paths", 405: "docs/api.md has the methods of each path"}
    messages = {404: "there is no such path", 405: f"{request.method} is not for this path"}
    message = messages.get(found.status_code, found.detail)
    hint = hints.get(found.status_code, "")
    return error(found.status_code, message, hint, dict(found.headers or {}))


def on_surprise(request: Request, found: Exception) -> Response:
    """What nobody expected: a fault of ours, of which the log has the rest."""
    return error(500, f"the collector failed: {describe(found)}", "please report it")
