"""The label `rack` of nodes, from a file with a line `NODE RACK` each.

[enricher.racks]
file = "/etc/racks"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebprof.enrichers import Subject
from ebprof.errors import BadFileError, reason_of
from ebprof.metrics import Metric, Value

METRICS = (Metric("racks_nodes", "Nodes of which the rack is known."),)
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Racks:
    """What a file says. of_node: racks by node."""

    of_node: Mapping[str, str]

    def labels(self, subject: Subject) -> Mapping[str, str]:
        """The rack of a subject whose node has one."""
        rack = self.of_node.get(subject.node)
        return {"rack": rack} if rack else {}


class RacksFile:
    """Reads the file again when its time changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._time = 0
        self._nodes = 0

    def poll(self) -> Racks | None:
        """What the file says, where that is new."""
        try:
            time = self._path.stat().st_mtime_ns
            if time == self._time:
                return None
            with self._path.open("rb") as file:
                lines = file.read(MOST_BYTES).decode("utf-8", "replace").splitlines()
        except OSError as error:
            raise BadFileError(f"cannot read {self._path}: {reason_of(error)}") from None
        pairs = [line.split(None, 1) for line in lines if len(line.split(None, 1)) == 2]
        found = Racks({node: rack.strip() for node, rack in pairs})
        self._time, self._nodes = time, len(found.of_node)
        return found

    def problems(self) -> tuple[str, ...]:
        """None of its own: what `poll` raises is said."""
        return ()

    def metrics(self) -> Mapping[str, Value]:
        """Of METRICS."""
        return {"racks_nodes": self._nodes}


def open_source(settings: Mapping[str, Any], directory: Path) -> RacksFile | None:
    """Only where a file is given."""
    return RacksFile(Path(settings["file"])) if "file" in settings else None
