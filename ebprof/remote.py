"""Profiles from a collector's queries: `http://HOST:8080/api/v1/profiles/flamegraph?type=cpu`.

A link to a page of profiles, `http://HOST:8080/profiles?query=...`, asks for the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, unquote_plus, urlencode, urlsplit

from ebprof.errors import BadFileError, UsageError, reason_of
from ebprof.secret import read_token

if TYPE_CHECKING:
    import http.client

PATH = "/api/v1/profiles/flamegraph"
PAGE = "/profiles"
_OF_PAGES = ("type", "query", "from", "to")
TOKEN = "EBPROF_TOKEN"
"""The variable that may hold a token."""
TIMEOUT_S = 120.0
MAX_BYTES = 64 << 20
_MAX_ERROR = 1 << 16
_MAX_TEXT = 300


@dataclass(frozen=True, slots=True)
class Access:
    """What a collector asks for. token_file: instead of the variable EBPROF_TOKEN; ca: of whom to
    trust instead of the system's.
    """

    token_file: Path | None = None
    ca: Path | None = None

    @property
    def token(self) -> str:
        """Empty for none; raises BadFileError."""
        return read_token(self.token_file) if self.token_file else os.environ.get(TOKEN, "").strip()


def is_url(path: str) -> bool:
    """Whether something that may name a file is a URL."""
    return path.partition("://")[0].lower() in ("http", "https") and "://" in path


def label(url: str) -> str:
    """What a URL asks for, for people."""
    return unquote_plus(urlsplit(url).query) or url


def ask(collector: str, path: str, given: Mapping[str, str], access: Access) -> Any:
    """What a collector answers to a question below its URL, as JSON has it.

    Raises UsageError for what is no URL of a collector; BadFileError with its reason where it does
    not answer.
    """
    parts = _split(collector, "http://HOST:8080")
    if parts.query or parts.path.strip("/"):
        raise UsageError(f"{collector!r} is no collector", "write it like http://HOST:8080")
    text = urlencode({name: value for name, value in given.items() if value})
    data = _get(parts, f"{path}?{text}" if text else path, access)
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise BadFileError(f"{collector} does not answer in JSON", "is it a collector?") from None


def fetch(url: str, access: Access) -> bytes:
    """The pprof file that the query of a URL gives, whatever format it asks for.

    Raises UsageError for a URL of something else; BadFileError, with the collector's reason, where
    there is no profile.
    """
    parts = _parts(url)
    return _get(parts, _query(parts), access)


def _get(parts: SplitResult, target: str, access: Access) -> bytes:
    """The body of an answer, of MAX_BYTES at most."""
    import http.client  # 100 ms with TLS, which commands without a URL need not wait for

    where = f"{parts.scheme}://{parts.netloc}"
    connection = _connection(parts, access)
    try:
        connection.request("GET", target, headers=_headers(access.token))
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise _refusal(where, answer)
        data = answer.read(MAX_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise BadFileError(
            f"cannot read from {where}: {reason_of(error)[:_MAX_TEXT]}",
            "is it a collector that runs?",
        ) from None
    finally:
        connection.close()
    if len(data) > MAX_BYTES:
        raise BadFileError(
            f"the answer of {where} is larger than {MAX_BYTES >> 20} MiB", "ask for max_nodes"
        )
    return data


def _split(url: str, form: str) -> SplitResult:
    """A URL of http or https; form: what one may look like."""
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0 and is_url(url)
    except ValueError:
        is_whole = False
    if not is_whole or "@" in parts.netloc:
        raise UsageError(f"cannot read URL {url!r}", f"write it like {form}")
    return parts


def _parts(url: str) -> SplitResult:
    parts = _split(url, f"http://HOST:8080{PATH}")
    if parts.path.endswith(PAGE):
        return _of_page(parts)
    if not parts.path.endswith(PATH):
        raise UsageError(f"{url!r} is no flame graph", f"it is below neither {PATH} nor {PAGE}")
    return parts


def _of_page(parts: SplitResult) -> SplitResult:
    """What a page shows: it has more parameters, and one that is missing is as by default."""
    given = {"type": "cpu"} | dict(parse_qsl(parts.query))
    asked = urlencode({name: given[name] for name in _OF_PAGES if name in given})
    return parts._replace(path=parts.path.removesuffix(PAGE) + PATH, query=asked)


def _query(parts: SplitResult) -> str:
    given = [(name, value) for name, value in parse_qsl(parts.query) if name != "format"]
    return f"{parts.path}?{urlencode([*given, ('format', 'pprof')])}"


def _headers(token: str) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity", "User-Agent": "ebprof"}
    return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def _connection(parts: SplitResult, access: Access) -> http.client.HTTPConnection:
    import http.client

    from ebprof.tls import TlsFiles, client_context

    host = parts.hostname or ""
    if parts.scheme == "https":
        context = client_context(TlsFiles(ca=access.ca))
        return http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT_S, context=context)
    return http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)


def _refusal(where: str, answer: http.client.HTTPResponse) -> BadFileError:
    """What a collector said instead of a profile."""
    said = json_object(answer.read(_MAX_ERROR))
    reason, hint = str(said.get("error", "")), str(said.get("hint", ""))
    message = f"{where} answers {answer.status}: {reason or answer.reason}"
    if answer.status == HTTPStatus.UNAUTHORIZED:
        hint = f"give --token-file, or set {TOKEN}"
    return BadFileError(_line(message), _line(hint))


def json_object(body: bytes) -> dict[str, Any]:
    """The object that an answer is; empty where it is something else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _line(text: str) -> str:
    """Printable, and short."""
    return "".join(one if one.isprintable() else "?" for one in text[:_MAX_TEXT])
