"""Profiles as Pyroscope's older clients send them: `POST /ingest`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ebprof.collector.api.answers import bytes_answer, refusal
from ebprof.collector.api.bodies import encoding_of, read_body
from ebprof.collector.receive.ingest import read_query
from ebprof.collector.receive.refusals import RefusedError
from ebprof.collector.service import Collector

PATH = "/ingest"


def routes(collector: Collector) -> list[Route]:
    """Where such profiles go to."""

    async def take(request: Request) -> Response:
        try:
            with collector.refusals_counted():
                given = read_query(request.query_params, request.headers.get("content-type", ""))
                body = await read_body(request, collector.limits.packed_bytes)
            await collector.push(body, encoding_of(request), given.read)
        except RefusedError as error:
            return refusal(error)
        return bytes_answer(b"", "text/plain; charset=utf-8")

    return [Route(PATH, take, methods=["POST"])]
