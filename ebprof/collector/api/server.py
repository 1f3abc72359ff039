"""Serves a collector until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from ebprof.address import Address, Place, UnixAddress, listen
from ebprof.collector.api.access import Tokens
from ebprof.collector.api.app import application
from ebprof.collector.api.options import ServerOptions
from ebprof.collector.service import Collector, only_one
from ebprof.errors import EbprofError
from ebprof.notify import Notifier
from ebprof.signals import ending
from ebprof.tls import load_certificate, server_context

_GRACE_S = 10
_MOST_CONNECTIONS = 4_096
_log = logging.getLogger(__name__)

Reread = Callable[[], ServerOptions]
"""The options of now; raises EbprofError."""


def serve(
    options: ServerOptions, announce: Callable[[str], None], reread: Reread | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; raises EbprofError.

    announce: is called with the URL once it can be connected to. reread: is called at SIGHUP, which
    without it ends the collector.
    """
    with contextlib.ExitStack() as opened:
        opened.enter_context(only_one(options.data))
        listeners = [opened.enter_context(listen(place)) for place in options.listen]
        asyncio.run(_serve(_Serving(options, listeners, reread), announce))


class _Serving:
    """Servers of one collector, one for each socket. For one event loop.

    Unix sockets ask for no token: who may open them may do everything.
    """

    def __init__(
        self, options: ServerOptions, listeners: list[socket.socket], reread: Reread | None
    ) -> None:
        self.notifier = Notifier()
        self._options = options
        self._reread = reread
        self._listeners = listeners
        self._tokens = Tokens(options.token_file) if options.token_file else None
        self._context = server_context(options.tls) if options.tls.cert else None

    async def begin(self) -> None:
        """Have a collector and servers; signals end or renew them."""
        self.collector = Collector(self._options.collector)
        self._servers = list(map(self._server, self._options.listen))
        loop = asyncio.get_running_loop()
        for number in ending():
            loop.add_signal_handler(number, self.end)
        if self._reread is not None:
            loop.add_signal_handler(signal.SIGHUP, self._heed_hang_up, self._reread)

    @property
    def url(self) -> str:
        """Of the first socket."""
        place = self._options.listen[0]
        if not isinstance(place, Address):
            return place.url
        host, port = self._listeners[0].getsockname()[:2]
        return Address(host, port, self._context is not None).url

    async def run(self) -> None:
        """Answer until the end."""
        pairs = zip(self._servers, self._listeners, strict=True)
        await asyncio.gather(*(server.serve(sockets=[one]) for server, one in pairs))

    def end(self) -> None:
        """Answer what was asked, and end."""
        for server in self._servers:
            server.should_exit = True

    def _server(self, place: Place) -> _Server:
        is_local = isinstance(place, UnixAddress)
        tokens = None if is_local else self._tokens
        names = self._options.allow_host if place.is_loopback and not is_local else None
        config = uvicorn.Config(
            application(self.collector, tokens, self._options.metrics_of, names),
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE_S,
        )
        config.load()
        config.ssl = None if is_local else self._context
        return _Server(config)

    def _heed_hang_up(self, reread: Reread) -> None:
        self.notifier.reloading()
        try:
            self._renew(reread())
        except EbprofError as error:
            self.collector.counters.add("reloads_total", label="refused")
            _log.warning("the options stay as they were: %s", error.message)
        self.notifier.ready()

    def _renew(self, options: ServerOptions) -> None:
        """Change what can be changed while it runs; raises EbprofError, and nothing changes."""
        if self._tokens and options.token_file:
            self._tokens.replace(options.token_file)
        if self._context and options.tls.cert:
            load_certificate(self._context, options.tls)
        self.collector.enrichment.renew(options.enrichers)
        self.collector.retain(options.retention)
        self.collector.counters.add("reloads_total", label="done")
        fixed = self._options.fixed(options)
        later = f"; from the next start on: {', '.join(fixed)}" if fixed else ""
        _log.warning("the options were read anew%s", later)


async def _serve(serving: _Serving, announce: Callable[[str], None]) -> None:
    await serving.begin()
    running = asyncio.create_task(serving.collector.run())
    running.add_done_callback(lambda _: serving.end())  # never without its feeder
    announce(serving.url)
    signs = asyncio.create_task(_show_life(serving.notifier))
    try:
        await serving.run()
    finally:
        serving.notifier.stopping()
        for task in (signs, running):
            task.cancel()
        _, found = await asyncio.gather(signs, running, return_exceptions=True)
        await asyncio.to_thread(serving.collector.close)
    if isinstance(found, Exception):
        raise found


async def _show_life(notifier: Notifier) -> None:
    """As long as the loop turns."""
    notifier.ready()
    while notifier.watchdog_s is not None:
        notifier.alive()
        await asyncio.sleep(notifier.watchdog_s / 4)


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again after the end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
