"""OpenTelemetry's profiles by HTTP: `POST /v1development/profiles`.

Source: opentelemetry.io/docs/specs/otlp, OTLP/HTTP: answers, partial success, failures.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ebprof.collector.api.answers import bytes_answer
from ebprof.collector.api.bodies import body_of, encoding_of
from ebprof.collector.receive.otlp import read_export
from ebprof.collector.receive.refusals import RefusedError
from ebprof.collector.service import Collector
from ebprof.wire.otlp import MEDIA_TYPE, PATH, ExportResponse, Status

_CODES = {400: 3, 413: 3, 415: 12, 429: 8, 503: 14}
"""Of gRPC, by status."""


def routes(collector: Collector) -> list[Route]:
    """Where exports go to."""

    async def take(request: Request) -> Response:
        try:
            with collector.refusals_counted():
                body = await body_of(request, collector.limits.packed_bytes)
            push = await collector.push(body, encoding_of(request), read_export)
        except RefusedError as error:
            return _failure(error)
        response = ExportResponse()
        if push.rejected:
            response.partial_success.rejected_profiles = push.rejected
            response.partial_success.error_message = push.problem
        return bytes_answer(response.SerializeToString(), MEDIA_TYPE)

    return [Route(PATH, take, methods=["POST"])]


def _failure(error: RefusedError) -> Response:
    text = f"{error.message}: {error.hint}" if error.hint else error.message
    status = Status(code=_CODES.get(error.status, 2), message=text)
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return bytes_answer(status.SerializeToString(), MEDIA_TYPE, error.status, headers)
