"""The text that a user types to narrow the screen down."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.identity.processes import Processes
from ebprof.traffic.endpoint import address_text
from ebprof.traffic.table import FlowTable


class TextSearch:
    """Finds flows whose process, container, addresses or ports hold a text; case is ignored.

    Addresses are looked at once a flow as long as the text stays the same.
    """

    def __init__(self) -> None:
        self._text = ""
        self._evicted = 0
        self._in_address = np.zeros(0, np.bool_)

    def matches(self, text: str, table: FlowTable, processes: Processes) -> NDArray[np.bool_]:
        """Which flows hold the text, by row."""
        text = text.lower()
        if (text, table.evicted) != (self._text, self._evicted):
            self._text, self._evicted = text, table.evicted
            self._in_address = np.zeros(0, np.bool_)
        keys = table.keys
        new = _addresses_hold(text, keys[len(self._in_address) :])
        self._in_address = np.concatenate([self._in_address, new])
        in_port = _ports_hold(text, keys["local_port"]) | _ports_hold(text, keys["peer_port"])
        return self._in_address | in_port | processes.holds_text(text)[table.process]


def _addresses_hold(text: str, keys: NDArray[Any]) -> NDArray[np.bool_]:
    held: dict[tuple[bytes, int], bool] = {}

    def holds(address: bytes, family: int) -> bool:
        found = held.get((address, family))
        if found is None:
            found = held[address, family] = text in address_text(address, family)
        return found

    found = (
        holds(key["local_address"].tobytes(), int(key["family"]))
        or holds(key["peer_address"].tobytes(), int(key["family"]))
        for key in keys
    )
    return np.fromiter(found, np.bool_, len(keys))


def _ports_hold(text: str, ports: NDArray[np.uint16]) -> NDArray[np.bool_]:
    distinct, inverse = np.unique(ports, return_inverse=True)
    held = [bool(port) and text in str(port) for port in distinct.tolist()]
    return np.array(held, np.bool_)[inverse]
