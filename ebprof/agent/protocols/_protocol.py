"""What a module of a protocol has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

from ebprof.agent.encoding import Encoder
from ebprof.agent.kinds import Kind
from ebprof.agent.pushes import Push
from ebprof.agent.series import Series


@runtime_checkable
class PushProtocol(Protocol):
    """KINDS: of pushes that its receivers know; without FLOWS, traffic is not counted.

    NAMES_ADDRESSES: whether its receivers can name addresses in files, if they get the files.
    """

    KINDS: tuple[Kind, ...]
    NAMES_ADDRESSES: bool

    def pushes(self, series: Iterable[Series], encoder: Encoder) -> Iterator[Push]:
        """Pushes that hold all series, small enough for any receiver."""
