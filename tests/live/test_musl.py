"""musl: a C library without call frame information, without frame pointers, without symbols.

Callbacks from the library are rows of test_chains.py.
"""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import assert_complete, assert_share, profile

SPLIT = {"sixty": 0.6, "thirty": 0.3, "ten": 0.1}


@pytest.mark.parametrize("variant", ["musl", "musl_static"])
def test_functions_have_their_share(variant: str) -> None:
    with targets.running("split", variant=variant) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    for function, share in SPLIT.items():
        assert_share(done.count_calls("main", "serve", function), done.total, share)
