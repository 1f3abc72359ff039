"""All endpoints of a collector, behind one check of who may use them."""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ebprof.address import Place
from ebprof.collector.api import health, ingest, otlp, pages, pushes, querier, queries, symbols
from ebprof.collector.api.access import PUSH, READ, Tokens
from ebprof.collector.api.answers import error, on_http_error, on_surprise
from ebprof.collector.api.hosts import HostGuard
from ebprof.collector.service import Collector
from ebprof.wire.otlp import PATH as EXPORTS

_PUSHED = frozenset((*pushes.PATHS, ingest.PATH, EXPORTS, *symbols.PATHS))
_CHALLENGES = {"WWW-Authenticate": 'Bearer, Basic realm="a token, as the password"'}
"""Browsers ask for a password, and send it with all that a page asks for."""
_FOR_ALL = (health.HEALTHY, health.READY)


def application(
    collector: Collector,
    tokens: Tokens | None,
    metrics_of: Place | None = None,
    names: tuple[str, ...] | None = None,
) -> Starlette:
    """The ASGI application; tokens: None where everybody may do everything.

    names: what it may be called besides `localhost`; None where it may be called anything.
    """
    guards = [Middleware(_Guard, tokens=tokens)] if tokens else []
    if names is not None:
        count = partial(collector.counters.add, "hosts_refused_total")
        guards.insert(0, Middleware(HostGuard, names=names, on_refusal=count))
    found = Starlette(
        routes=[
            *pushes.routes(collector),
            *ingest.routes(collector),
            *otlp.routes(collector),
            *symbols.routes(collector),
            *queries.routes(collector),
            *querier.routes(collector),
            *health.routes(collector, metrics_of),
            *pages.routes(),
        ],
        middleware=guards,
        exception_handlers={HTTPException: on_http_error, Exception: on_surprise},
    )
    found.router.redirect_slashes = False  # a path with one more is no path of ours
    return found


class _Guard:
    """Lets through who has a token with the role that the path needs."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _FOR_ALL:
            await self._app(scope, receive, send)
            return
        token = self._tokens.find(Request(scope).headers.get("authorization", ""))
        role = PUSH if scope["path"] in _PUSHED else READ
        if token is None:
            refusal = error(401, "no valid token", "send Authorization: Bearer TOKEN", _CHALLENGES)
            await refusal(scope, receive, send)
        elif role not in token.roles:
            await error(403, f"token {token.name} may not {role}", "use another")(
                scope, receive, send
            )
        else:
            await self._app(scope, receive, send)
