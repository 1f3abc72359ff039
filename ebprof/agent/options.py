"""What an agent does, as the command line and its file say."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ebprof.address import Place
from ebprof.agent.budget import Budget
from ebprof.agent.protocols import DEFAULT
from ebprof.agent.services import Rule
from ebprof.tls import TlsFiles

SPOOL = Path("/var/lib/ebprof/spool")
SPOOL_MIB = 256
FREQUENCY = 19
INTERVAL_S = 10.0
LISTEN = "127.0.0.1:9099"
CPU_PERCENT, MEMORY_MIB = 5.0, 256


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """collectors: URLs. interval_s: of windows; frequency: Hz, of each CPU. has_traffic: whether
    flows are counted. spool_bytes: of all files in the spool. budget: beyond it, the agent samples
    less often. token_file, tls: what to push with. node: name of this machine. symbols: who names
    addresses in files, `collector` or `agent`. protocol: a name in `ebprof.agent.protocols`.
    """

    collectors: tuple[str, ...]
    listen: Place
    interval_s: float = INTERVAL_S
    frequency: int = FREQUENCY
    has_traffic: bool = True
    spool: Path = SPOOL
    spool_bytes: int = SPOOL_MIB << 20
    budget: Budget = field(default_factory=lambda: Budget(CPU_PERCENT / 100, MEMORY_MIB << 20))
    token_file: Path | None = None
    tls: TlsFiles = field(default_factory=TlsFiles)
    rules: tuple[Rule, ...] = ()
    symbols: str = "collector"
    protocol: str = DEFAULT
    node: str = field(default_factory=lambda: os.uname().nodename)

    def fixed(self, other: AgentOptions) -> list[str]:
        """Names of options that are others now, and that a running agent cannot change."""
        return [name for key, name in _FIXED.items() if getattr(self, key) != getattr(other, key)]


_FIXED = {
    "budget": "cpu-budget or memory-budget",
    "has_traffic": "no-traffic",
    "interval_s": "interval",
    "listen": "listen",
    "node": "node",
    "protocol": "protocol",
    "spool": "spool",
    "spool_bytes": "spool-size",
    "symbols": "symbols",
}
