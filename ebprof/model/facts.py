"""What the comments of a profile say of the run that made it: `host: web-1`, `cpus: 8`.

Formats that keep comments (pprof, JSON) keep these with them; other programs show them as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from ebprof.model.profile import Profile

HOST, TARGET, RUN, CPUS = "host", "target", "command", "cpus"
"""Keys: the machine's name; whom was sampled; the command line of the one process that it was; on
how many CPUs it could run."""


def fact(profile: Profile, key: str) -> str:
    """The text of a fact; empty where the profile does not say it."""
    start = f"{key}: "
    found = (one.removeprefix(start) for one in profile.comments if one.startswith(start))
    return next(found, "")


def comments_of(facts: Mapping[str, str]) -> tuple[str, ...]:
    """The same as comments; those without a text are left out."""
    return tuple(f"{key}: {text}" for key, text in facts.items() if text)
