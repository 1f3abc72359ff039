"""Text that is added to a file or pipe."""

from __future__ import annotations

import os

import pytest

from ebprof.errors import BadFileError
from ebprof.screen.outlet import Outlet
from ebprof.screen.stream import Stream


def test_a_full_disk_is_a_bad_file() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        stream = Stream(Outlet(full))
        with pytest.raises(BadFileError, match="cannot write stdout: no space left on device"):
            stream.send("a line\n")
    finally:
        os.close(full)


def test_a_reader_that_is_gone_ends_the_run() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = Stream(Outlet(writer))
    stream.send("a line\n")
    assert stream.is_over
    stream.finish()
    os.close(writer)
