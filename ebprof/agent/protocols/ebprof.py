"""Our own collector's: profiles as Pyroscope has them, flows, and object files for names."""

from ebprof.agent.kinds import FLOWS, PROFILES, Kind
from ebprof.agent.pushes import pushes

__all__ = ["KINDS", "NAMES_ADDRESSES", "pushes"]
KINDS: tuple[Kind, ...] = (PROFILES, FLOWS)
NAMES_ADDRESSES = True
