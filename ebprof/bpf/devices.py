"""perf's sources of events, which sysfs lists."""

from __future__ import annotations

from pathlib import Path

from ebprof.errors import UnsupportedError

SOURCES = Path("/sys/bus/event_source/devices")


def probe_type(name: str) -> int:
    """The number of `kprobe` or `uprobe` as a type of perf events; raises UnsupportedError."""
    try:
        return int((SOURCES / name / "type").read_text())
    except (OSError, ValueError):
        if not SOURCES.is_dir():
            raise UnsupportedError(
                f"cannot look for {name}s: no {SOURCES}", "mount sysfs: mount -t sysfs none /sys"
            ) from None
        raise UnsupportedError(
            f"kernel built without CONFIG_{name.upper()}_EVENTS: no {SOURCES / name}"
        ) from None
