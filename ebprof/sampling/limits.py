"""What the kernel lets one process have."""

from __future__ import annotations

import resource


def allow_many_files() -> None:
    """One descriptor an object file, and one a thread or CPU: take all that we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
