"""Profiles as files: one format a module, whose name is the format's.

A format follows the protocol OutputFormat, one that can be read back ReadableFormat, and one that
is written window by window AppendingFormat. Others add theirs by entry points of the group
`ebprof.outputs`: docs/extending.md. Modules whose names start with an underscore are what formats,
and what compares profiles, share.
"""

from ebprof.output._choose import choose, default_name, names
from ebprof.output._files import (
    Reading,
    check_writable,
    read_profile,
    read_profiles,
    write_file,
    write_to,
)
from ebprof.output._look import PIVOTS, Look, as_seen, styled
from ebprof.output._protocol import AppendingFormat, OutputFormat, ReadableFormat, Sink
from ebprof.output._rescue import rescue
from ebprof.output._slices import proposal

__all__ = [
    "PIVOTS",
    "AppendingFormat",
    "Look",
    "OutputFormat",
    "ReadableFormat",
    "Reading",
    "Sink",
    "as_seen",
    "check_writable",
    "choose",
    "default_name",
    "names",
    "proposal",
    "read_profile",
    "read_profiles",
    "rescue",
    "styled",
    "write_file",
    "write_to",
]
