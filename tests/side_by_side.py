"""Which tests run at a time, with `pytest -n 3`: see `group_of`.

The bytes that one live test counts and the stacks that another samples have nothing to do with each
other, and unit tests measure nothing. But no two runs count connections, and of those that look at
the whole machine, or load it with all that there is, one runs at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

LIVE = "tests/live/"
TRAFFIC = f"{LIVE}traffic/"
WHOLE_MACHINE = frozenset(
    f"{LIVE}test_{name}.py"
    for name in (
        "churn",
        "events",
        "headless",
        "hostile",
        "new_code",
        "processes",
        "top",
        "without_btf",
    )
)
"""Files with tests that would see each other: hostile processes, and who looks at all there are, or
counts calls of whoever makes them."""


class SideBySide(LoadScopeScheduling):
    """Hands groups of tests to processes, in the order in which tests are found."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """The name of what a test stays together with: its file, or all live tests of its kind."""
    path, _, _ = nodeid.partition("::")
    if path in WHOLE_MACHINE:
        return "whole machine"
    return "traffic" if path.startswith(TRAFFIC) else path


def turn_of(nodeid: str) -> int:
    """What begins first: what takes longest, so that it does not end last."""
    if group_of(nodeid) == "whole machine":
        return 0
    return 1 if nodeid.startswith(TRAFFIC) else 2 if nodeid.startswith(LIVE) else 3
