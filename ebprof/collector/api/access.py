"""Who may do what: tokens from a file, which is read again when it changes.

A line of the file is a name, roles (`push`, `read`, or both with a comma between), and the token's
SHA-256 in hex; tokens themselves stand nowhere. `#` begins a comment.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from ebprof.errors import BadFileError
from ebprof.stamp import stamp_of

PUSH, READ = "push", "read"
_LINE = re.compile(r"(\S+)\s+((?:push|read)(?:,(?:push|read))?)\s+(?:sha256:)?([0-9a-fA-F]{64})")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is known: its name, what it may do, and its hash."""

    name: str
    roles: frozenset[str]
    digest: bytes


class Tokens:
    """The tokens of a file. Raises BadFileError when it is made of one that cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = stamp_of(path)
        self._tokens = read_tokens(path)

    def find(self, authorization: str) -> Token | None:
        """The token of an Authorization header: `Bearer TOKEN`, or the password of `Basic`."""
        self._renew()
        given = hashlib.sha256(_secret(authorization)).digest()
        matching = [one for one in self._tokens if hmac.compare_digest(one.digest, given)]
        return matching[0] if matching else None

    def replace(self, path: Path) -> None:
        """Have the tokens of another file, or of the same one; raises BadFileError."""
        stamp = stamp_of(path)  # first: what changes while the file is read is read again
        self._tokens = read_tokens(path)
        self._path, self._stamp = path, stamp

    def _renew(self) -> None:
        """Read the file again if it changed; one that cannot be read changes nothing."""
        stamp = stamp_of(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._tokens = read_tokens(self._path)
        except BadFileError as error:
            _log.warning("the tokens stay as they were: %s", error.message)


def read_tokens(path: Path) -> list[Token]:
    """The tokens of a file, at least one; raises BadFileError, with the line."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadFileError(f"cannot read {path}: {reason.lower()}") from None
    found = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        match = _LINE.fullmatch(text)
        if match:
            found.append(Token(match[1], frozenset(match[2].split(",")), bytes.fromhex(match[3])))
        elif text:
            raise BadFileError(
                f"cannot read {path}:{number}",
                "write: NAME push,read sha256:HEX (docs/collector.md)",
            )
    if not found:
        raise BadFileError(f"{path} has no tokens", "see docs/collector.md")
    return found


def _secret(authorization: str) -> bytes:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""
