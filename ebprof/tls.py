"""TLS of servers and clients: certificates from files, which are read again when they change."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from ebprof.errors import BadFileError, UsageError, reason_of
from ebprof.stamp import Stamp, stamp_of


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files. cert: the chain to show, with its key; ca: certificates of whom to trust. Of a
    server, clients have to show one of these if there is a ca.
    """

    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    def check(self) -> None:
        """Raise UsageError where a certificate or its key is missing."""
        if (self.cert is None) != (self.key is None):
            raise UsageError("a certificate and its key belong together", "give both, or neither")

    def stamps(self) -> tuple[Stamp, ...]:
        """Others when a file has changed."""
        return tuple(stamp_of(path) for path in (self.cert, self.key, self.ca) if path)


class ClientContext:
    """A client's context, made anew when a file changes. Without a CA, the system's are trusted."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._stamps: tuple[Stamp, ...] = ()
        self._context: ssl.SSLContext | None = None

    def get(self) -> ssl.SSLContext:
        """The context of today; raises BadFileError."""
        stamps = self._files.stamps()
        if self._context is None or stamps != self._stamps:
            self._context = client_context(self._files)
            self._stamps = stamps
        return self._context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Checks the server's certificate and name; raises BadFileError."""
    context = ssl.create_default_context(cafile=None if files.ca is None else _checked(files.ca))
    if files.cert is not None:
        load_certificate(context, files)
    return context


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Asks clients for a certificate where there is a CA; raises BadFileError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_certificate(context, files)
    if files.ca is not None:
        context.load_verify_locations(_checked(files.ca))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def load_certificate(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Have a context show a certificate from now on; raises BadFileError, and nothing changes."""
    assert files.cert is not None and files.key is not None
    for path in (files.cert, files.key):
        _readable(path)
    try:
        context.load_cert_chain(files.cert, files.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise BadFileError(
            f"cannot use {files.cert} with {files.key}: {_reason(error)}",
            "give PEM files: the certificate with its chain, and its key without a password",
        ) from None


def _no_password() -> str:
    """Instead of a question at the terminal."""
    return ""


def _checked(path: Path) -> str:
    _readable(path)
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ValueError) as error:
        raise BadFileError(f"cannot use {path}: {_reason(error)}", "give certificates") from None
    return str(path)


def _readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise BadFileError(f"cannot read {path}: {reason_of(error)}") from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error).lower().replace("_", " ")
