"""Debug files from debuginfod servers (elfutils): who is asked learns which programs run here.

A server is asked for one file at a time, and only for build IDs that are well formed. What it does
not have it is not asked for again for a day; where it fails it is left alone, longer each time.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from typing import TYPE_CHECKING, Any

from ebprof.elf import ElfImage
from ebprof.errors import BadFileError, reason_of
from ebprof.procfs.text import printable
from ebprof.symbolize.budget import Budget
from ebprof.symbolize.cache import FileStore

if TYPE_CHECKING:
    import urllib.request

VARIABLE = "DEBUGINFOD_URLS"
ENVIRONMENT = "env"
"""Stands for the servers in the variable."""
SCHEMES = ("http://", "https://")
DEBUGINFO, EXECUTABLE = "debuginfo", "executable"
"""What of a build a server can be asked for."""
FOUND, MISSING, FAILED, REFUSED = "found", "missing", "failed", "refused"
"""What came of a request; refused: by us, what came is not what was asked for."""
TIMEOUT_S, DEADLINE_S = 10.0, 180.0
"""How long a server may be silent, and how long a file may take."""
MISS_S = 86_400.0
REST_S, LONGEST_REST_S = 60.0, 3600.0
MAX_BYTES = 2 << 30
_MAX_IN_MEMORY = 512 << 20
_BUILD_ID = re.compile(r"(?!(.)\1*$)(?:[0-9a-f]{2}){8,64}")
_TAG = "ima:"
_BLOCK = 1 << 20
_MOST_MISSES = 100_000
_MAX_TIME = 32


def is_askable(build_id: str) -> bool:
    """Whether a build ID is one that a linker makes: 8 to 64 bytes, not all the same digit."""
    return _BUILD_ID.fullmatch(build_id) is not None


def servers(texts: Sequence[str], environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """URLs of servers, each once; ENVIRONMENT stands for those in $DEBUGINFOD_URLS.

    Texts and the variable may have several with blanks between them; words of elfutils' that are no
    URL (`ima:enforcing`) are left out.
    """
    words = " ".join(environment.get(VARIABLE, "") if one == ENVIRONMENT else one for one in texts)
    found = (one.rstrip("/") for one in words.split() if not one.startswith(_TAG))
    return tuple(dict.fromkeys(found))


def not_urls(urls: Sequence[str]) -> list[str]:
    """Those of some words that no server can have, as they can be shown."""
    return [printable(one) for one in urls if not one.startswith(SCHEMES)]


@dataclass(slots=True)
class _Server:
    url: str
    failures: int = 0
    rests_until: float = 0.0


class Debuginfod:
    """Asks servers, in their order.

    store: where it is kept what was missing and, with keeps, what was found. seconds: that may be
    spent on waiting. note: is told what came of each request, and a line, which may be empty.
    """

    def __init__(
        self,
        urls: Sequence[str],
        store: FileStore,
        seconds: Budget,
        note: Callable[[str, str], None],
        *,
        keeps: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._servers = [_Server(url) for url in urls if url.startswith(SCHEMES)]
        self._store = store
        self._seconds = seconds
        self._note = note
        self._keeps = keeps
        self._clock = clock
        self._misses: dict[str, float] = {}
        self.received = 0

    def fetch(self, build_id: str, kind: str = DEBUGINFO) -> FileIO | None:
        """The file of a build ID, open; None when no server has it, or none may be asked now."""
        if not is_askable(build_id):
            return None
        key = f"{kind} {build_id}"
        found = self._kept(key, build_id) if self._keeps else None
        for server in () if found else self._askable(key):
            if not self._seconds.allows():
                break
            began = time.monotonic()
            found = self._ask(server, key, build_id, f"{server.url}/buildid/{build_id}/{kind}")
            self._seconds.spend(time.monotonic() - began)
            if found is not None:
                break
        return found

    def may_ask(self, build_id: str, kind: str = DEBUGINFO) -> bool:
        """Whether there is a server that did not say lately that it does not have a file."""
        return is_askable(build_id) and any(self._askable(f"{kind} {build_id}"))

    def _askable(self, key: str) -> Iterator[_Server]:
        now = self._clock()
        for server in self._servers:
            if server.rests_until <= now and not self._is_missing(f"{key} {server.url}", now):
                yield server

    def _kept(self, key: str, build_id: str) -> FileIO | None:
        file = self._store.open(key)
        if file is not None:
            with suppress(BadFileError):
                return _checked(file, build_id)
            self._store.remove(key)
        return None

    # ---- what servers do not have ----------------------------------------------------------------

    def _is_missing(self, key: str, now: float) -> bool:
        if key not in self._misses:
            self._bound()
            file = self._store.open(f"missing {key}")
            self._misses[key] = 0.0
            if file is not None:
                with file, suppress(ValueError, OSError):
                    self._misses[key] = float(file.read(_MAX_TIME))
        return now < self._misses[key] <= now + MISS_S

    def _note_missing(self, key: str) -> None:
        self._bound()
        until = self._misses[key] = self._clock() + MISS_S
        with self._store.create() as entry, suppress(OSError):
            _write(entry.file, f"{until:.0f}".encode())
            self._store.commit(entry, f"missing {key}")

    def _bound(self) -> None:
        if len(self._misses) >= _MOST_MISSES:
            self._misses.clear()

    # ---- one request -----------------------------------------------------------------------------

    def _ask(self, server: _Server, key: str, build_id: str, url: str) -> FileIO | None:
        # Here, as they take 30 ms to import and are seldom needed.
        from http.client import HTTPException
        from urllib.error import HTTPError

        try:
            found = self._download(url, key, build_id)
        except HTTPError as error:
            with error:
                self._note_status(server, key, error)
        except BadFileError as error:
            self._note_missing(f"{key} {server.url}")
            self._tell(REFUSED, f"{url}: {error.message}")
        except (OSError, HTTPException, ValueError) as error:
            self._rest(server, "")
            why = getattr(error, "reason", error)  # of URLError, another error
            reason = reason_of(why) if isinstance(why, Exception) else str(why)
            self._tell(FAILED, f"{url}: {printable(reason)}")
        else:
            server.failures = 0
            self._note(FOUND, "")
            return found
        return None

    def _note_status(self, server: _Server, key: str, error: Any) -> None:
        if error.code == 404:
            server.failures = 0
            self._note_missing(f"{key} {server.url}")
            self._note(MISSING, "")
            return
        self._rest(server, error.headers.get("Retry-After", ""))
        self._tell(FAILED, f"{server.url} answers {error.code}")

    def _rest(self, server: _Server, retry_after: str) -> None:
        wait = min(LONGEST_REST_S, REST_S * 2 ** min(server.failures, 16))
        if retry_after.isascii() and retry_after.isdigit():
            wait = max(wait, min(LONGEST_REST_S, float(retry_after[:9])))
        server.failures += 1
        server.rests_until = self._clock() + wait

    def _tell(self, result: str, text: str) -> None:
        self._note(result, f"debuginfod: {text}")

    def _download(self, url: str, key: str, build_id: str) -> FileIO:
        with self._store.create() as entry:
            most = MAX_BYTES if entry.name else _MAX_IN_MEMORY
            with _opener().open(_request(url), timeout=TIMEOUT_S) as response:
                self.received += _copy(response, entry.file, most)
            file = _checked(FileIO(os.dup(entry.file.fileno()), "r+b"), build_id)
            if self._keeps:
                self._store.commit(entry, key)
            return file


def _opener() -> urllib.request.OpenerDirector:
    """Follows redirections to http and https alone: urllib's own would take ftp, too."""
    import urllib.request as library

    found = library.OpenerDirector()
    for handler in (
        *(library.ProxyHandler, library.UnknownHandler, library.HTTPHandler, library.HTTPSHandler),
        *(library.HTTPDefaultErrorHandler, library.HTTPRedirectHandler),
        library.HTTPErrorProcessor,
    ):
        found.add_handler(handler())
    return found


def _request(url: str) -> urllib.request.Request:
    from urllib.request import Request

    from ebprof import __version__

    headers = {"User-Agent": f"ebprof/{__version__}", "Accept-Encoding": "identity"}
    return Request(url, headers=headers)


def _copy(response: Any, file: FileIO, most: int) -> int:
    """Write an answer's body to a file; returns its size. Raises BadFileError, OSError."""
    claimed = response.headers.get("Content-Length", "")
    length = int(claimed) if claimed.isascii() and claimed.isdigit() else None
    end = time.monotonic() + DEADLINE_S
    size = 0
    while (length is None or length <= most) and (block := response.read1(_BLOCK)):
        size += len(block)
        if size > most:
            break
        if time.monotonic() > end:
            raise TimeoutError(f"it takes longer than {DEADLINE_S:.0f} s")
        _write(file, block)
    if max(size, length or 0) > most:
        raise BadFileError(f"more than {most} bytes")
    if length is not None and size != length:
        raise OSError(f"it ends after {size} of {length} bytes")
    return size


def _write(file: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _checked(file: FileIO, build_id: str) -> FileIO:
    """The file, if it is that of the build ID; else it is closed, and BadFileError is raised."""
    try:
        image = ElfImage(file)
        if image.build_id == build_id and image.sections:
            return file
    except BadFileError:
        file.close()
        raise
    file.close()
    raise BadFileError("wrong build ID, or cut off")
