"""Serves a collector until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from ebprof.address import Address
from ebprof.collector.api.access import Tokens
from ebprof.collector.api.app import application
from ebprof.collector.service import Collector, CollectorOptions, only_one
from ebprof.errors import EbprofError
from ebprof.signals import ending

_GRACE_S = 10
_MOST_CONNECTIONS = 4_096


def serve(
    address: Address,
    options: CollectorOptions,
    tokens: Path | None,
    announce: Callable[[Address], None],
) -> None:
    """Serve until SIGINT or SIGTERM; raises EbprofError.

    announce: is called with the address once it can be connected to.
    """
    known = Tokens(tokens) if tokens else None
    with only_one(options.data), _listener(address) as listener:
        asyncio.run(_serve(listener, options, known, announce))


async def _serve(
    listener: socket.socket,
    options: CollectorOptions,
    tokens: Tokens | None,
    announce: Callable[[Address], None],
) -> None:
    collector = Collector(options)
    running = asyncio.create_task(collector.run())
    server = _Server(_config(collector, tokens))
    loop = asyncio.get_running_loop()
    for number in ending():
        loop.add_signal_handler(number, server.end)
    running.add_done_callback(lambda _: server.end())  # never without its feeder
    host, port = listener.getsockname()[:2]
    announce(Address(host, port))
    try:
        await server.serve(sockets=[listener])
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await asyncio.to_thread(collector.close)


def _config(collector: Collector, tokens: Tokens | None) -> uvicorn.Config:
    return uvicorn.Config(
        application(collector, tokens),
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


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again after the end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def end(self) -> None:
        """Answer what was asked, and end."""
        self.should_exit = True


@contextlib.contextmanager
def _listener(address: Address) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listener = socket.create_server((address.host, address.port), family=family, backlog=1024)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EbprofError(
            f"cannot listen on {address.host}:{address.port}: {reason}", "give another --listen"
        ) from None
    with listener:
        yield listener
