"""Profiles as files: one format a module, whose name is the format's.

A format has SUFFIXES, which select it by file name, and write(profile, file). One that can be
read back has read(file) and recognizes(head), which looks at a file's first bytes. Modules
whose names start with an underscore are what formats, and what compares profiles, share.
"""

from ebprof.output._choose import choose, names
from ebprof.output._files import check_writable, read_profile, write_file, write_to

__all__ = ["check_writable", "choose", "names", "read_profile", "write_file", "write_to"]
