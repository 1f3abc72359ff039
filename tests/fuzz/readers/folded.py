"""Folded stacks."""

from __future__ import annotations

import io
from collections.abc import Iterator

from ebprof.errors import BadFileError
from ebprof.output import folded
from tests import builders


def read(data: bytes) -> None:
    """What was read and written is read again as it was."""
    try:
        profile = folded.read(io.BytesIO(data))
    except BadFileError:
        return
    once, again = io.BytesIO(), io.BytesIO()
    folded.write(profile, once)
    folded.write(folded.read(io.BytesIO(once.getvalue())), again)
    assert again.getvalue() == once.getvalue()
    assert folded.read(io.BytesIO(once.getvalue())).total == profile.total


def seeds() -> Iterator[bytes]:
    """Ours, and some that others write."""
    file = io.BytesIO()
    folded.write(builders.example(), file)
    yield file.getvalue()
    yield b"java;Ljava/lang/Thread;::run_[j];f_[k] 12\nswapper 1\n;;; 3\r\n"
    yield b"\xef\xbb\xbfmain (a.py:3);f 1.5\nidle 2\n# c\n\xef\xbb\xbfa;b 3 4\n"
    yield "\u2028;\u00e9 5\n\ttab 7\n".encode()
