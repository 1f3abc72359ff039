"""A table of the hottest functions, or of what else rows are, for people.

It is as wide as the terminal; elsewhere plain text, as wide as what stands in it. Self, total and
lines: see `_rank`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from ebprof.model import Profile
from ebprof.output._look import Look

SUFFIXES = (".txt",)
IS_FOR_PEOPLE = True

# rich takes longer to import than a table to draw, and choosing a format by a file's suffix imports
# this module: hence the import inside.


@dataclass(frozen=True, slots=True)
class StyledTable:
    """The table as it was asked for."""

    look: Look
    SUFFIXES: tuple[str, ...] = SUFFIXES
    IS_FOR_PEOPLE: bool = True

    def write(self, profile: Profile, file: BinaryIO) -> None:
        """Write the hottest rows and how many more there are."""
        from ebprof.output import _table

        _table.draw(profile, self.look, file)

    def styled(self, look: Look) -> StyledTable:
        """The table as it is asked for now."""
        return StyledTable(look)


def styled(look: Look) -> StyledTable:
    """The table as it was asked for."""
    return StyledTable(look)


def write(profile: Profile, file: BinaryIO) -> None:
    """Write the hottest functions and how many more there are."""
    styled(Look()).write(profile, file)
