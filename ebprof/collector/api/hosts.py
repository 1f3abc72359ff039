"""What a collector lets itself be called: a name of others that leads to this machine is refused.

A page of theirs could ask whatever this machine alone may ask, if the name that the browser knows
the collector by was theirs ("DNS rebinding"). Addresses and `localhost` cannot be.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ebprof.collector.api.answers import error

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]*))(?::[0-9]*)?")
_SHOWN = 64


class HostGuard:
    """Lets through requests by address, `localhost`, or one of some names; refuses others by 421.

    on_refusal: is called for each of them.
    """

    def __init__(
        self, app: ASGIApp, names: tuple[str, ...], on_refusal: Callable[[], object]
    ) -> None:
        self._app = app
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)}
        self._on_refusal = on_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Request(scope).headers.get("host") if scope["type"] == "http" else None
        if host is None or self._is_ours(host):
            await self._app(scope, receive, send)
            return
        self._on_refusal()
        hint = "ask by an address or localhost; --allow-host has the collector know more names"
        refusal = error(421, f"this collector is not called {host[:_SHOWN]!r}", hint)
        await refusal(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host.strip().lower())
        if match is None:
            return False
        name = match[1] or match[2].rstrip(".")
        return name in self._names or _is_address(name)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
