"""What a collector does, as the command line and its file say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ebprof.address import Place
from ebprof.collector.enrichment import Settings
from ebprof.collector.retention import Retention
from ebprof.collector.service import OBJECT_MIB, CollectorOptions
from ebprof.collector.store.url import StoreUrl
from ebprof.symbolize.elsewhere import Elsewhere
from ebprof.tls import TlsFiles

_FIXED = (
    *("listen", "allow_host", "data", "store", "object_size", "metrics_of"),
    *("debug_dirs", "debuginfod"),
)
_SHOWN = {"debug_dirs": "debug-dir"}


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """listen: the first one is announced; those on this machine's file system (UnixAddress) ask for
    neither tokens nor TLS. store: a server that it is on, None where it is in data. object_size: of
    all object files, in MiB. token_file: None where everybody may do everything. metrics_of: a
    server whose metrics are added to ours. allow_host: names that the collector may be called on
    loopback, besides `localhost`.
    debug_dirs, debuginfod: directories, and URLs of servers, that have object files. enrichers:
    settings of each, by name.
    """

    listen: tuple[Place, ...]
    data: Path
    store: StoreUrl | None = None
    retention: Retention = field(default_factory=Retention)
    object_size: int = OBJECT_MIB
    token_file: Path | None = None
    tls: TlsFiles = field(default_factory=TlsFiles)
    metrics_of: Place | None = None
    allow_host: tuple[str, ...] = ()
    debug_dirs: tuple[Path, ...] = ()
    debuginfod: tuple[str, ...] = ()
    enrichers: Settings = field(default_factory=dict)

    @property
    def collector(self) -> CollectorOptions:
        """What of it needs no HTTP."""
        elsewhere = Elsewhere(self.debug_dirs, self.debuginfod)
        object_bytes = self.object_size << 20
        return CollectorOptions(
            self.data,
            self.retention,
            self.store,
            object_bytes=object_bytes,
            elsewhere=elsewhere,
            enrichers=self.enrichers,
        )

    def fixed(self, other: ServerOptions) -> list[str]:
        """Names of options that are others now, and that a running collector cannot change."""
        found = [name for name in _FIXED if getattr(self, name) != getattr(other, name)]
        if (self.token_file is None) != (other.token_file is None):
            found.append("token_file")
        if (self.tls.cert is None, self.tls.ca) != (other.tls.cert is None, other.tls.ca):
            found.append("tls_ca" if self.tls.cert and other.tls.cert else "tls_cert")
        return [_SHOWN.get(name, name.replace("_", "-")) for name in found]
