"""Object files: `POST /ebprof.v1.SymbolService/Want` and `/Upload`, unary calls of Connect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ebprof.collector.api.answers import bytes_answer, refusal
from ebprof.collector.api.bodies import MEDIA_TYPE, body_of, encoding_of
from ebprof.collector.receive.refusals import RefusedError
from ebprof.collector.service import Collector
from ebprof.collector.symbols.service import MAX_BODY
from ebprof.wire import symbols

PATHS = frozenset((symbols.WANT_PATH, symbols.UPLOAD_PATH))
_Call = Callable[[bytes, str], Awaitable[bytes]]


def routes(collector: Collector) -> list[Route]:
    """Where object files are offered, and go to."""
    found = collector.symbols
    return [
        Route(symbols.WANT_PATH, _endpoint(found.want), methods=["POST"]),
        Route(symbols.UPLOAD_PATH, _endpoint(found.upload), methods=["POST"]),
    ]


def _endpoint(call: _Call) -> Callable[[Request], object]:
    async def answer(request: Request) -> Response:
        try:
            data = await body_of(request, MAX_BODY)
            return bytes_answer(await call(data, encoding_of(request)), MEDIA_TYPE)
        except RefusedError as error:
            return refusal(error)

    return answer
