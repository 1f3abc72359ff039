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
from ebprof.output._protocol import AppendingFormat, OutputFormat, ReadableFormat, Sink
from ebprof.output._rescue import rescue
from ebprof.output._roots import ROOTS, check_root, with_root

__all__ = [
    "ROOTS",
    "AppendingFormat",
    "OutputFormat",
    "ReadableFormat",
    "Reading",
    "Sink",
    "check_root",
    "check_writable",
    "choose",
    "default_name",
    "names",
    "read_profile",
    "read_profiles",
    "rescue",
    "with_root",
    "write_file",
    "write_to",
]
