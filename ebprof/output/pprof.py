"""pprof's gzip-compressed profile.proto, for `go tool pprof` and all that reads it.

Sample types are those of the profile or, for samples, samples/count and, when the period is known,
the event and its unit (`cpu` for cpu-clock). Labels of each sample: pid, tid (numbers), comm, stop
(text); in a run that is in slices of time also time (number, nanoseconds), and a comment says how
long they are.
"""

from __future__ import annotations

from typing import BinaryIO

from ebprof.model import Profile
from ebprof.output._read import read_whole

SUFFIXES = (".pb.gz", ".pprof", ".pb")
KEEPS_TIMES = True
KEEPS_TYPES = True

_FIRST_STRING = b"\x32\x00"  # of string_table, which is empty in every profile

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


def recognizes(data: bytes) -> bool:
    """True for a whole serialized profile, in whatever order its fields are."""
    if _FIRST_STRING not in data:
        return False
    from ebprof.output import _pprof_decode

    return _pprof_decode.is_profile(data)
