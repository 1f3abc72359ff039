"""bcc as the loader: our own C compiled on the spot, against the running kernel's headers.

bcc is asked for instructions only. Maps are made by libbpf, from the object that is in the package,
and programs are loaded and attached by descriptors, so that all that works with a loaded object is
the same for both.
"""

from ebprof.bpf.bcc.object import BccObject, check

__all__ = ["BccObject", "check"]
