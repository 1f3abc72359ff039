"""What was sampled, where, and how much of it there was, as a line above what is shown."""

from __future__ import annotations

from ebprof.model import HOST, RUN, TARGET, Profile, fact
from ebprof.output._cpu import cores_text
from ebprof.output._text import printable


def heading(profile: Profile) -> str:
    """`PID 12: redis-server *:6379, on web-1, 0.38 cores of 2`; empty where nothing is known."""
    target, run = fact(profile, TARGET), fact(profile, RUN)
    whom = run if run.startswith(target) else f"{target}: {run}"
    host = fact(profile, HOST)
    parts = (whom if run else target, f"on {host}" if host else "", cores_text(profile))
    return printable(", ".join(filter(None, parts)))


def title(profile: Profile) -> str:
    """What a flame graph is called: `cpu-clock flame graph: PID 12, on web-1`."""
    name = f"{printable(profile.subject.name)} flame graph"
    told = heading(profile)
    return f"{name}: {told}" if told else name
