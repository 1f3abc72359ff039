"""What came of comparing a file, kept so that it is not compared again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import ebprof
from ebprof.errors import BadFileError
from tests.differential.eh_frame_readelf import Comparison, compare_file

KEPT = Path(__file__).parents[2] / "build" / "differential"


@dataclass(frozen=True, slots=True)
class Result:
    """One file. rows and the next four are readelf's rows; differ and reasons: counts by text.

    problem: why there is nothing to compare; empty when there is something.
    """

    path: str
    rows: int = 0
    agree: int = 0
    expression: int = 0
    unsupported: int = 0
    overlapping: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    differ: dict[str, int] = field(default_factory=dict)
    problem: str = ""

    @classmethod
    def of(cls, path: Path) -> Result:
        """Compare a file."""
        try:
            comparison = compare_file(path)
        except BadFileError as error:
            return cls(str(path), problem=error.message)
        if comparison is None:
            return cls(str(path), problem="no unwind information")
        return cls._of_comparison(path, comparison)

    @classmethod
    def _of_comparison(cls, path: Path, comparison: Comparison) -> Result:
        values: dict[str, Any] = {
            name: getattr(comparison, name)
            for name in ("rows", "agree", "expression", "unsupported", "overlapping")
        }
        reasons = {reason: (count + 1) // 2 for reason, count in comparison.reasons.items()}
        return cls(str(path), **values, reasons=reasons, differ=dict(comparison.differ))


class Results:
    """Results of earlier runs, a line of JSON each, for this compiler and this comparison."""

    def __init__(self) -> None:
        KEPT.mkdir(parents=True, exist_ok=True)
        self._file = KEPT / f"{_version()}.jsonl"
        self._by_identity: dict[str, Result] = {}
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        for line in lines:
            identity, values = json.loads(line)
            self._by_identity[identity] = Result(**values)

    def find(self, path: Path) -> Result | None:
        """What is known of a file as it is now."""
        return self._by_identity.get(_identity(path))

    def keep(self, result: Result) -> None:
        """Remember a result, also if this run ends at once."""
        with self._file.open("a") as file:
            file.write(json.dumps([_identity(Path(result.path)), asdict(result)]) + "\n")


def _identity(path: Path) -> str:
    info = path.stat()
    return f"{path} {info.st_ino} {info.st_size} {info.st_mtime_ns}"


@cache
def _version() -> str:
    """Of all that a result depends on besides the file."""
    digest = hashlib.sha256()
    package = Path(ebprof.__file__).parent
    parts = [*sorted(package.glob("_native*.so")), package / "elf.py"]
    parts += [package / "unwind/compile.py", Path(__file__).with_name("eh_frame_readelf.py")]
    for part in parts:
        digest.update(part.read_bytes())
    return digest.hexdigest()[:16]
