"""One request to a collector: by HTTP, HTTPS, or on a Unix socket."""

from __future__ import annotations

import gzip
import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ebprof.address import short_name
from ebprof.errors import UsageError
from ebprof.tls import ClientContext, TlsFiles
from ebprof.wire.push import MEDIA_TYPE, PATH

TIMEOUT_S = 10.0
LEVEL = 1
"""Of gzip."""
_MOST_READ = 1 << 16
_HEADERS = {
    "Content-Encoding": "gzip",
    "Connect-Protocol-Version": "1",
    "User-Agent": "ebprof-agent",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a collector. retry_after, date: the headers, empty without them; body: the first 64 KiB of
    it.
    """

    status: int
    retry_after: str = ""
    date: str = ""
    body: bytes = field(default=b"", repr=False)


def packed(message: Any, level: int = LEVEL) -> bytes:
    """A message as the body of a request. level: of gzip, 0 where packing saves nothing."""
    return gzip.compress(message.SerializeToString(), level, mtime=0)


class Sender:
    """Sends pushes, each in a connection of its own. tls: what to show, and whom to trust."""

    def __init__(self, tls: TlsFiles) -> None:
        self._context = ClientContext(tls)

    def __call__(
        self,
        url: SplitResult,
        body: bytes,
        token: str,
        path: str = PATH,
        media_type: str = MEDIA_TYPE,
    ) -> Answer:
        """POST a message that is packed by gzip, a PushRequest by default; token: empty for none.

        Raises OSError or HTTPException without an answer, BadFileError for TLS's files.
        """
        headers = {"Content-Type": media_type} | _HEADERS | _authorization(token)
        return self.request("POST", url, path, body, headers)

    def get(self, url: SplitResult, path: str, token: str = "") -> Answer:
        """GET a path; raises the same."""
        return self.request("GET", url, path, b"", _authorization(token))

    def request(
        self, method: str, url: SplitResult, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        """One request; raises the same."""
        connection = self._connection(url)
        prefix = "" if url.scheme == "unix" else url.path.rstrip("/")
        try:
            connection.request(method, prefix + path, body, headers)
            answer = connection.getresponse()
            found = answer.read(_MOST_READ)
            retry_after, date = answer.getheader("Retry-After", ""), answer.getheader("Date", "")
            return Answer(answer.status, retry_after, date, found)
        finally:
            connection.close()

    def _connection(self, url: SplitResult) -> http.client.HTTPConnection:
        if url.scheme == "unix":
            return _UnixConnection(Path(url.path))
        assert url.hostname
        if url.scheme == "https":
            return http.client.HTTPSConnection(
                url.hostname, url.port, timeout=TIMEOUT_S, context=self._context.get()
            )
        return http.client.HTTPConnection(url.hostname, url.port, timeout=TIMEOUT_S)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        with short_name(self._path) as name:
            self.sock.connect(name)


def parse_url(text: str) -> SplitResult:
    """The URL of a collector; raises UsageError."""
    try:
        url = urlsplit(text)
        is_url = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        is_url = is_url or (url.scheme == "unix" and not url.netloc and bool(url.path))
    except ValueError:
        is_url = False
    if not is_url or url.query or url.fragment or "@" in url.netloc:
        raise UsageError(f"cannot read URL {text!r}", "write it like http://collector:8080")
    return url


def _authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
