"""Which addresses are without names: for those who look names up."""

from __future__ import annotations

from dataclasses import dataclass

from ebprof.collector.query import sql
from ebprof.collector.store.question import Asked


@dataclass(frozen=True, slots=True)
class Address:
    """An address in a file, offset being that in the file, and the frame that stands for it."""

    frame_id: int
    module: str
    offset: int


@dataclass(frozen=True, slots=True)
class Unnamed:
    """Addresses in a file with names of a lower version than this one, at most so many."""

    build_id: str
    version: int
    most: int

    def answer(self, database: Asked) -> list[Address]:
        """Look them up."""
        bound = {"build_id": self.build_id, "version": self.version, "most": self.most}
        with database.session() as session:
            rows = session.ask(sql.load("unnamed"), bound).to_pylist()
        return [Address(row["frame_id"], row["module"], row["address"]) for row in rows]


@dataclass(frozen=True, slots=True)
class OldestNames:
    """The lowest version of names in each file that addresses were pushed of."""

    def answer(self, database: Asked) -> dict[str, int]:
        """Look them up."""
        with database.session() as session:
            rows = session.ask(sql.load("oldest_names")).to_pylist()
        return {row["build_id"]: row["version"] for row in rows}
