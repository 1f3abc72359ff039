"""What files that others wrote may cost a run, all together.

Each alone is bounded where it is read, but there may be thousands of them.
"""

from __future__ import annotations

from collections.abc import Iterator

GIB = 1 << 30


class Budget:
    """An amount that may be spent. The last expense may be more than what is left."""

    def __init__(self, amount: float, warning: str) -> None:
        self._left = amount
        self._warning = warning
        self._refused = 0

    def allows(self) -> bool:
        """Whether anything is left; otherwise what was asked for is counted as left undone."""
        if self._left > 0:
            return True
        self._refused += 1
        return False

    def spend(self, amount: float) -> None:
        """Take note of an expense."""
        self._left -= amount

    @property
    def warnings(self) -> Iterator[str]:
        """What was left undone, and how often; nothing when nothing was."""
        if self._refused:
            yield f"{self._warning} ({self._refused} left out)"


class Budgets:
    """What is limited in one run: bytes, except dwarf_seconds and server_seconds."""

    def __init__(self) -> None:
        self.checksums = Budget(
            4 * GIB, "debug files without a build ID: checksums would take too long"
        )
        self.symbols = Budget(16 * GIB, "symbol tables are larger than 16 GiB together")
        self.dwarf_seconds = Budget(180.0, "debug information takes too long to read")
        self.server_seconds = Budget(60.0, "debuginfod servers take too long to answer")
        self.perf_maps = Budget(2 * GIB, "perf maps take more than 2 GiB together")

    @property
    def warnings(self) -> Iterator[str]:
        """What was left undone."""
        for budget in vars(self).values():
            yield from budget.warnings
