"""Where entries of a CMDB are: files, looked at for changes, and URLs, asked by ETag."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import logging
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from ebprof.collector.cmdb.entries import Entry
from ebprof.collector.cmdb.formats import MOST_BYTES, parse
from ebprof.durable import write_file
from ebprof.errors import BadFileError, UsageError, reason_of
from ebprof.stamp import Stamp, stamp_of
from ebprof.tls import TlsFiles, client_context

TIMEOUT_S = 10.0
"""Without anything from a URL's server."""
TOTAL_S = 30.0
"""For all of its answer."""
_BLOCK = 1 << 16
_MAX_ETAG = 512
_log = logging.getLogger(__name__)


class Place:
    """Where entries are. name: for people.

    entries: as of the last good look. seen: when they were good, in seconds since the epoch, 0 for
    never. problem: why they may be other now, empty where all is well. errors: how often that was.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: tuple[Entry, ...] = ()
        self.seen = 0.0
        self.problem = ""
        self.errors = 0

    def poll(self) -> None:
        """Look whether there is something new; what cannot be read stays as it was."""
        try:
            self.look()
        except BadFileError as error:
            self.errors += 1
            if error.message != self.problem:
                _log.warning("%s: the entries stay as they were", error.message)
            self.problem = error.message

    def look(self) -> None:
        """The same; raises BadFileError."""
        raise NotImplementedError

    def _is_good(self) -> None:
        self.problem = ""
        self.seen = time.time()


class FilePlace(Place):
    """A file, which is read when it changes."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._stamp: Stamp | None = None

    def look(self) -> None:
        """See `Place.look`; of a file that does not change an error is raised once."""
        stamp = stamp_of(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self.entries = self._read()
        elif self.problem:
            return
        self._is_good()

    def _read(self) -> tuple[Entry, ...]:
        try:
            with self._path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise BadFileError(f"cannot read {self.name}: {reason_of(error)}") from None
        return parse(data, self._path.suffix.lower(), self.name)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a server said. data: None where it has nothing new."""

    etag: str
    data: bytes | None


class UrlPlace(Place):
    """A URL that gives JSON; the last good answer is on disk.

    directory: where that is. interval_s: between requests. A user and password in the URL are sent,
    and shown nowhere. Redirections are not followed. Raises UsageError for what is no URL.
    """

    def __init__(self, url: str, directory: Path, interval_s: float) -> None:
        self._parts = _parts(url)
        super().__init__(f"{self._parts.scheme}://{_host(self._parts)}{self._parts.path}")
        self._interval_s = interval_s
        self._path = directory / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.kept"
        self._etag = ""
        self._due = 0.0
        self._restore()

    def look(self) -> None:
        """See `Place.look`; asks, if it is time to."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._interval_s
        answer = self._ask()
        if answer.data is not None:
            self.entries = parse(answer.data, ".json", self.name)
            self._etag = answer.etag
            self._keep(answer)
        self._is_good()
        self._path.touch()

    def _ask(self) -> _Answer:
        connection = self._connection()
        try:
            connection.request("GET", _target(self._parts), headers=self._headers())
            return self._heard(connection.getresponse())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise BadFileError(f"cannot read {self.name}: {reason_of(error)}"[:300]) from None
        finally:
            connection.close()

    def _heard(self, answer: http.client.HTTPResponse) -> _Answer:
        if answer.status == HTTPStatus.NOT_MODIFIED and self._etag:
            return _Answer(self._etag, None)
        if answer.status != HTTPStatus.OK:
            raise BadFileError(f"cannot read {self.name}: it answers {answer.status}")
        end = time.monotonic() + TOTAL_S
        data = bytearray()
        while block := answer.read1(_BLOCK):
            data += block
            if time.monotonic() > end:
                raise BadFileError(f"cannot read {self.name}: it takes more than {TOTAL_S:.0f} s")
            if len(data) > MOST_BYTES:
                break
        etag = answer.headers.get("ETag", "")
        return _Answer(etag if len(etag) <= _MAX_ETAG else "", bytes(data))

    def _headers(self) -> dict[str, str]:
        found = {"Accept": "application/json", "Accept-Encoding": "identity"}
        found["User-Agent"] = "ebprof"
        if self._etag:
            found["If-None-Match"] = self._etag
        if self._parts.username is not None:
            pair = f"{unquote(self._parts.username)}:{unquote(self._parts.password or '')}"
            found["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return found

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            context = client_context(TlsFiles())
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    def _keep(self, answer: _Answer) -> None:
        assert answer.data is not None
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        head = json.dumps({"url": self.name, "etag": answer.etag}).encode()
        write_file(self._path, head + b"\n" + answer.data)

    def _restore(self) -> None:
        """Begin with the last good answer, where there is one."""
        try:
            with self._path.open("rb") as file:
                head, _, data = file.read(MOST_BYTES + 2 * _BLOCK).partition(b"\n")
            self.entries = parse(data, ".json", self.name)
            self._etag = str(json.loads(head)["etag"])
            self.seen = self._path.stat().st_mtime
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, BadFileError):
            self.entries = ()  # it is asked for as a whole


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0 and url.isascii() and url.isprintable()
    except ValueError:
        is_whole = False
    if not is_whole or " " in url:
        raise UsageError(f"cannot read URL {url[:100]!r}", "write it like https://HOST/cmdb.json")
    return parts


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _target(parts: SplitResult) -> str:
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path
