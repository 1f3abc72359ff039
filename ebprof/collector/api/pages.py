"""The pages: documents and the files that they load, of which none is from elsewhere."""

from __future__ import annotations

import gzip
from functools import cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ebprof.collector.api.answers import error
from ebprof.collector.pages import PAGES, STATIC, assets

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing inline, nothing of others: what a name is made to look like does not run."""
_COMMON = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Accept-Encoding",
}
_FOREVER = "private, max-age=31536000, immutable"


def routes() -> list[Route]:
    """Where browsers look."""
    return [
        *(Route(path, _document, methods=["GET"]) for path in PAGES),
        Route(f"{STATIC}/{{version}}/{{name:path}}", _file, methods=["GET"]),
    ]


async def _document(request: Request) -> Response:
    found = assets()
    tag = f'"{found.version}"'
    headers = _COMMON | {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(found.document, headers=headers, media_type="text/html; charset=utf-8")


async def _file(request: Request) -> Response:
    found = assets()
    name = request.path_params["name"]
    if request.path_params["version"] != found.version or name not in found.files:
        return error(404, "there is no such file", "load the page again")
    one = found.files[name]
    headers = _COMMON | {"Cache-Control": _FOREVER}
    body = one.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = _packed(name)
    return Response(body, headers=headers, media_type=one.media_type)


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(assets().files[name].body, 9, mtime=0)
