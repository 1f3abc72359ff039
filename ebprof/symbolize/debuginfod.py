"""Debug files from debuginfod servers (debuginfod(8), "WEBAPI"), only when the user asks."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from ebprof.elf import ElfImage, memory_file, open_regular
from ebprof.errors import BadFileError
from ebprof.procfs.text import printable

_TIMEOUT_S = 30
_MAX_BYTES = 2 << 30
_BLOCK = 1 << 20
SCHEMES = ("http://", "https://")


class Debuginfod:
    """Fetches by build ID and keeps what it got in a directory; remembers what nobody has.

    urls: servers in the order to ask them; default: $DEBUGINFOD_URLS. store: None keeps files
    in memory for this run.
    """

    def __init__(self, store: Path | None, urls: list[str] | None = None) -> None:
        self.urls = os.environ.get("DEBUGINFOD_URLS", "").split() if urls is None else urls
        self.warnings: list[str] = []
        self._store = store
        self._missing: set[str] = set()
        if not self.urls:
            self.warnings.append("debuginfod: no server: set DEBUGINFOD_URLS")
        ignored = [url for url in self.urls if not url.startswith(SCHEMES)]
        if ignored:
            self.warnings.append(
                f"debuginfod: {printable(ignored[0])} was not asked: it is no http or https address"
            )

    def fetch(self, build_id: str) -> FileIO | None:
        """The debug file of a build ID, open; None when no server has it."""
        if not build_id or build_id in self._missing:
            return None
        found = self._stored(build_id)
        for url in () if found else self._addresses(build_id):
            found = self._download(url, build_id)
            if found is not None:
                break
        if found is None:
            self._missing.add(build_id)
        return found

    def _addresses(self, build_id: str) -> Iterator[str]:
        for url in self.urls:
            if url.startswith(SCHEMES):
                yield f"{url.rstrip('/')}/buildid/{build_id}/debuginfo"

    def _stored(self, build_id: str) -> FileIO | None:
        if self._store is None:
            return None
        try:
            return _checked(open_regular(str(self._store / f"{build_id}.debug")), build_id)
        except (OSError, BadFileError):
            return None

    def _download(self, url: str, build_id: str) -> FileIO | None:
        # Here, as they take 30 ms to import and are seldom needed.
        import urllib.request
        from http.client import HTTPException

        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
                blocks = iter(lambda: response.read(_BLOCK), b"")
                return _checked(self._keep(blocks, build_id), build_id)
        except urllib.request.HTTPError as error:
            if error.code != 404:
                self.warnings.append(f"debuginfod: {url}: {error}")
        except (OSError, HTTPException, BadFileError, ValueError) as error:
            self.warnings.append(f"debuginfod: {url}: {error}")
        return None

    def _keep(self, blocks: Iterator[bytes], build_id: str) -> FileIO:
        if self._store is None:
            file = memory_file(b"")
            _copy(blocks, file)
            return file
        self._store.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._store / f"{secrets.token_hex(8)}.part"
        file = FileIO(str(part), "x+b")
        try:
            _copy(blocks, file)
            part.replace(self._store / f"{build_id}.debug")
        except BaseException:
            file.close()
            part.unlink()
            raise
        return file


def _copy(blocks: Iterator[bytes], file: FileIO) -> None:
    size = 0
    for block in blocks:
        size += len(block)
        if size > _MAX_BYTES:
            raise BadFileError(f"more than {_MAX_BYTES} bytes")
        file.write(block)


def _checked(file: FileIO, build_id: str) -> FileIO:
    try:
        if ElfImage(file).build_id == build_id:
            return file
    except BadFileError:
        file.close()
        raise
    file.close()
    raise BadFileError("wrong build ID")
