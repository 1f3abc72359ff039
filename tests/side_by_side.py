"""Which tests run at a time, with `pytest -n 2`: see `group_of`.

The bytes that one live test counts and the stacks that another samples have nothing to do with each
other, and unit tests measure nothing. But no two profiles are taken at a time, and no two runs
count connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer


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
    if path.startswith("tests/live/traffic/"):
        return "traffic"
    return "profiles" if path.startswith("tests/live/") else path
