"""CPU time of samples: how many cores were busy, where samples are of a clock."""

from __future__ import annotations

from ebprof.model import CPUS, Profile, fact

CLOCKS = frozenset(("cpu-clock", "task-clock", "cpu"))
"""Events and sample types that are CPU time."""
_MOST_CPUS = 1 << 16


def cores(profile: Profile, count: int) -> float | None:
    """How many cores so many samples, or so much of the value shown, kept busy; None where these
    are not CPU time, or nobody knows over how long.
    """
    each = cpu_ns(profile)
    return count * each / profile.duration_ns if each and profile.duration_ns > 0 else None


def cpu_ns(profile: Profile) -> int:
    """The CPU time that a sample, or one of the value shown, stands for; 0 where it is none."""
    kind = profile.subject
    if kind.name not in CLOCKS or kind.unit != "nanoseconds":
        return 0
    return max(0, profile.period) if profile.is_sampled else 1


def cpus(profile: Profile) -> int:
    """On how many CPUs what was sampled could run; 0 where the profile does not say."""
    text = fact(profile, CPUS)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    return number if number <= _MOST_CPUS else 0


def cores_text(profile: Profile) -> str:
    """`0.38 cores of 2`; empty where that is not known."""
    busy = cores(profile, profile.total)
    if busy is None:
        return ""
    whole = cpus(profile)
    of = f" of {whole:,}" if whole else ""
    return f"{busy:.2f} cores{of}"
