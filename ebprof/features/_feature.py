"""A feature as data, and how one is looked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ebprof.errors import EbprofError

OK, LIMITED, MISSING, UNKNOWN = "ok", "limited", "missing", "unknown"
STATES = {
    OK: "it works",
    LIMITED: "it works in part: the detail says what does not",
    MISSING: "it does not work: the detail says why",
    UNKNOWN: "it cannot be probed: the detail says why",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What looking for a feature brought: one of STATES, and a line about this machine."""

    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that ebprof uses where it is there.

    state: one of STATES. detail: this machine's own values, or the kernel's reason.
    lost: what does not work without it. remedy: how to get it. required: no CPU profile without.
    """

    name: str
    state: str
    detail: str
    lost: str
    remedy: str
    required: bool


@dataclass(frozen=True, slots=True)
class Probe:
    """A feature before it is looked for; `look` raises EbprofError for what is missing."""

    name: str
    look: Callable[[], Finding]
    lost: str
    remedy: str
    required: bool = False

    def run(self) -> Feature:
        """Look for it; never raises for what a machine may lack."""
        try:
            found = self.look()
        except EbprofError as error:
            found = missing(error.message)
        except OSError as error:
            found = missing(str(error))
        return Feature(self.name, found.state, found.detail, self.lost, self.remedy, self.required)


def ok(detail: str = "") -> Finding:
    """It works."""
    return Finding(OK, detail)


def limited(detail: str) -> Finding:
    """It works in part."""
    return Finding(LIMITED, detail)


def missing(detail: str) -> Finding:
    """It does not work; of a reason of many lines (a verifier's log) the first is kept."""
    return Finding(MISSING, detail.partition("\n")[0].rstrip(":"))


def unknown(detail: str) -> Finding:
    """It cannot be probed."""
    return Finding(UNKNOWN, detail)


def read_text(path: Path) -> str:
    """A small file of /proc or /sys, stripped; empty when it is not there or not for us."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def read_number(path: Path) -> int | None:
    """A number out of such a file; None when there is none."""
    text = read_text(path)
    return int(text) if text.lstrip("-").isdigit() else None
