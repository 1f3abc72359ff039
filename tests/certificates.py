"""Certificates for tests: an authority, a server, and clients, as PEM files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme

from ebprof.tls import TlsFiles


@dataclass(frozen=True)
class Authority:
    """Issues certificates into a directory. ca: the file with its own."""

    directory: Path
    authority: trustme.CA
    ca: Path

    def issue(self, name: str, number: int = 0, *, ca: Path | None = None) -> TlsFiles:
        """A certificate of a host; ca: whom its owner trusts, by default this authority."""
        made = self.authority.issue_cert(name)
        cert, key = (self.directory / f"{name}-{number}.{end}" for end in ("pem", "key"))
        made.private_key_pem.write_to_path(key)
        cert.write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
        return TlsFiles(cert, key, ca or self.ca)


def authority(directory: Path) -> Authority:
    """A new one, whom nobody knows."""
    directory.mkdir(exist_ok=True)
    made = trustme.CA()
    path = directory / "ca.pem"
    made.cert_pem.write_to_path(path)
    return Authority(directory, made, path)
