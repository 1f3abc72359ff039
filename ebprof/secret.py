"""Secrets in files."""

from __future__ import annotations

from pathlib import Path

from ebprof.errors import BadFileError, reason_of

_MAX_TOKEN = 4096


def read_token(path: Path | None) -> str:
    """The token that a file holds, empty without a file; raises BadFileError."""
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            token = file.read(_MAX_TOKEN).strip()
    except OSError as error:
        raise BadFileError(f"cannot read {path}: {reason_of(error)}") from None
    if not token or any(not 0x21 <= byte <= 0x7E for byte in token):
        raise BadFileError(f"{path} holds no token", "write the token into it, and nothing else")
    return token.decode("ascii")
