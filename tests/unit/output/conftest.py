from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture
def check_golden() -> Callable[[str, bytes], None]:
    """Compare output with a file in golden/; EBPROF_UPDATE_GOLDEN=1 writes the file instead."""

    def check(name: str, written: bytes) -> None:
        path = GOLDEN / name
        if os.environ.get("EBPROF_UPDATE_GOLDEN"):
            path.write_bytes(written)
        assert written.decode() == path.read_text(encoding="utf-8")

    return check
