"""pprof's gzip-compressed profile.proto, for `go tool pprof` and all that reads it.

Sample types are samples/count and, when the period is known, the event and its unit (`cpu` for
cpu-clock). Labels of each sample: pid, tid (numbers), comm, stop (text); in a run that is in slices
of time also time (number, nanoseconds), and a comment says how long they are.
"""

from __future__ import annotations

from typing import BinaryIO

from ebprof.model import Profile
from ebprof.output._read import read_whole

SUFFIXES = (".pb.gz", ".pprof", ".pb")
KEEPS_TIMES = True

# protobuf takes longer to import than a small profile to write, and choosing a format by a
# file's suffix imports this module: hence the imports inside.


def write(profile: Profile, file: BinaryIO) -> None:
    """Write a profile; equal profiles give equal bytes."""
    from ebprof.output import _pprof_encode

    file.write(_pprof_encode.encode(profile))


def read(file: BinaryIO) -> Profile:
    """Read a profile, compressed or not, by whatever program it was written.

    Raises BadFileError when it is corrupt or over the size limits.
    """
    from ebprof.output import _pprof_decode

    return _pprof_decode.decode(read_whole(file))


def recognizes(head: bytes) -> bool:
    """True when the first bytes of a file are gzip's, or a serialized sample_type's."""
    return head.startswith((b"\x1f\x8b", b"\x0a\x04\x08", b"\x0a\x02\x08", b"\x0a\x00"))
