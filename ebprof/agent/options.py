"""What an agent does, as the command line and its file say."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ebprof.address import Address
from ebprof.agent.services import Rule

SPOOL = Path("/var/lib/ebprof/spool")
SPOOL_MIB = 256
FREQUENCY = 19
INTERVAL_S = 10.0
LISTEN = "127.0.0.1:9099"


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """collectors: URLs. interval_s: of windows; frequency: Hz, of each CPU. spool_bytes: of all
    files in the spool. token_file: what to push with. node: name of this machine.
    """

    collectors: tuple[str, ...]
    listen: Address
    interval_s: float = INTERVAL_S
    frequency: int = FREQUENCY
    spool: Path = SPOOL
    spool_bytes: int = SPOOL_MIB << 20
    token_file: Path | None = None
    rules: tuple[Rule, ...] = ()
    node: str = field(default_factory=lambda: os.uname().nodename)
