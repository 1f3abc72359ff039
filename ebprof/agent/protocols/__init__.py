"""How an agent pushes: one protocol a module, whose name is the protocol's.

Others add theirs by entry points of the group `ebprof.agent.protocols`.
"""

from __future__ import annotations

import sys

from ebprof import plugins
from ebprof.agent.protocols._protocol import PushProtocol
from ebprof.errors import UsageError

__all__ = ["DEFAULT", "PushProtocol", "load"]
DEFAULT = "ebprof"


def load(name: str) -> PushProtocol:
    """The protocol of a name; raises UsageError."""
    package = sys.modules[__name__]
    found: PushProtocol | None = plugins.load(package, name, PushProtocol)
    if found is None:
        known = ", ".join(plugins.names(package))
        raise UsageError(f"unknown protocol: {name}", f"protocols are {known}")
    return found
