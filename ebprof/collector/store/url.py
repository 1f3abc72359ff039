"""A store on a server of ClickHouse: `clickhouse://user:password@host:8123/database`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ebprof.errors import UsageError
from ebprof.tls import TlsFiles

FORM = "write it like clickhouse://user:password@host:8123/database"
PASSWORD = "CLICKHOUSE_PASSWORD"
"""The variable that has the password where the URL has none."""
_PORT, _SECURE_PORT = 8123, 8443
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_OPTIONS = ("secure", "ca", "cert", "key", "cluster")


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """As text it has no password. is_secure: by HTTPS; tls: files for it. cluster: on whose servers
    tables are made, replicated; empty for one server.
    """

    host: str
    port: int
    database: str = "default"
    user: str = "default"
    password: str = field(default="", repr=False)
    is_secure: bool = False
    tls: TlsFiles = field(default_factory=TlsFiles)
    cluster: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"clickhouse://{host}:{self.port}/{self.database}"


def parse_store_url(text: str) -> StoreUrl:
    """Raises UsageError, which does not show the password."""
    try:
        url = urlsplit(text)
        options = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
        return _store_url(url, options)
    except ValueError as error:
        reason = f": {error}" if isinstance(error, _WrongError) else ""
        raise UsageError(f"cannot read --store {_shown(text)!r}{reason}", FORM) from None


class _WrongError(ValueError):
    """Says what is wrong, and shows nothing secret."""


def _store_url(url: SplitResult, options: dict[str, str]) -> StoreUrl:
    """Raises ValueError."""
    if url.scheme != "clickhouse" or not url.hostname or url.fragment:
        raise _WrongError("it does not name a host")
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise _WrongError(f"{unknown[0]} is none of {', '.join(_OPTIONS)}")
    database, cluster = unquote(url.path.strip("/")) or "default", options.get("cluster", "")
    for name in filter(None, (database, cluster)):
        if not _NAME.fullmatch(name):
            raise _WrongError(f"{name!r} is no name of letters, digits and underscores")
    if options.get("secure", "0") not in ("0", "1"):
        raise _WrongError("secure is 0 or 1")
    files = [Path(options[one]) if one in options else None for one in ("cert", "key", "ca")]
    tls = TlsFiles(*files)
    tls.check()
    is_secure = options.get("secure", "0") == "1"
    if tls != TlsFiles() and not is_secure:
        raise _WrongError("ca, cert and key need secure=1")
    return StoreUrl(
        url.hostname,
        url.port or (_SECURE_PORT if is_secure else _PORT),
        database,
        unquote(url.username or "default"),
        os.environ.get(PASSWORD, "") if url.password is None else unquote(url.password),
        is_secure,
        tls,
        cluster,
    )


def _shown(text: str) -> str:
    """Without what may be a password: all between the scheme and the last @."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
