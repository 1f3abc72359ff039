"""Rows that were measured before, so that an interrupted proof goes on where it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

from tests.proof.workload import Row

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "proof"
# What a row depends on: a change in any of it makes all rows old.
SOURCES = (
    "ebprof/**/*.py",
    "ebprof/**/*.o",
    "ebprof/*.so",
    "tests/*.py",
    "tests/proof/**/*.py",
    "tests/programs/*",
)


class Kept:
    """Rows of one kernel, a line of JSON each."""

    def __init__(self, kernel: str, directory: Path = KEPT) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._file = directory / f"{kernel}-{_version()}.jsonl"
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        rows = (Row(**json.loads(line)) for line in lines)
        self._rows = {row.workload: row for row in rows}

    def find(self, workload: str) -> Row | None:
        """The row of a workload as ebprof and the proof are now."""
        return self._rows.get(workload)

    def keep(self, row: Row) -> None:
        """Remember a row, also if this run ends at once; a later one takes its place."""
        with self._file.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")


@cache
def _version() -> str:
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(filter(Path.is_file, ROOT.glob(pattern))):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
