"""`/metrics` and `/-/healthy` of an agent."""

from __future__ import annotations

import http.server
import os
import select
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any

from ebprof.address import Address, Place, listen
from ebprof.metrics import CONTENT_TYPE

_TIMEOUT_S = 5.0
_MOST_REQUESTS = 8


class Listener:
    """Serves in threads of its own until it is closed; raises EbprofError.

    metrics: the text of the page; is_healthy: whether the agent does its work.
    """

    def __init__(
        self, place: Place, metrics: Callable[[], str], is_healthy: Callable[[], bool]
    ) -> None:
        pages = {
            "/metrics": lambda: (200, metrics()),
            "/-/healthy": lambda: (200, "healthy\n") if is_healthy() else (503, "stuck\n"),
        }
        handler = type("Handler", (_Handler,), {"pages": pages})
        self._is_closed = os.eventfd(0, os.EFD_CLOEXEC)
        self._server = _Server(listen(place), handler)
        self.place = place
        if isinstance(place, Address):
            self.place = Address(*self._server.socket.getsockname()[:2])
        self._thread = threading.Thread(target=self._serve, name="listen", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        os.eventfd_write(self._is_closed, 1)
        self._thread.join()
        self._server.server_close()
        os.close(self._is_closed)

    def _serve(self) -> None:
        """Wakes up for requests only: serve_forever looks twice a second whether it should end."""
        poll = select.poll()
        for fd in (self._server.fileno(), self._is_closed):
            poll.register(fd, select.POLLIN)
        while self._is_closed not in {fd for fd, _ in poll.poll()}:
            self._server.handle_request()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Of a socket that listens already."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, handler: type[_Handler]) -> None:
        self._slots = threading.BoundedSemaphore(_MOST_REQUESTS)
        super().__init__(("", 0), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, if there are not too many already."""
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room for another."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = _TIMEOUT_S
    pages: dict[str, Callable[[], tuple[int, str]]]

    def do_GET(self) -> None:
        page = self.pages.get(self.path.partition("?")[0])
        status, text = page() if page else (404, "not found\n")
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Without versions."""
        return "ebprof"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are not logged."""
