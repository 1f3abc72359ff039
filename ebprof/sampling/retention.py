"""How long a run keeps stacks and names: what nothing refers to any more is forgotten.

A stack is forgotten two generations after it was sent last. The kernel sends it again before it is
counted again, in each of the two maps of counts; so whatever is counted in a window was sent in the
generation of that window or in the one before. Only when no stack names an object's number is that
given to another file; and as names are made in the order of windows, in one thread, a window that
waits to be named holds the generations that its stacks are in.
"""

from __future__ import annotations

from functools import partial

from ebprof.sampling.generations import Generation
from ebprof.sampling.naming import Namer
from ebprof.sampling.resolve import Resolver
from ebprof.sampling.stacks import StackStore
from ebprof.unwind.objects import ObjectStore

KEPT_WINDOWS = 60
"""A generation lasts so many windows."""
MOST_STACKS = 1 << 17
"""It ends sooner with so many stacks: of 40 frames each they take 60 MB."""


class Retention:
    """Decides after each window what is forgotten; the resolver's thread does it in its turn."""

    def __init__(
        self, stacks: StackStore, objects: ObjectStore, resolver: Resolver, namer: Namer
    ) -> None:
        self._stacks = stacks
        self._objects = objects
        self._resolver = resolver
        self._namer = namer
        self._windows = 0

    def end_window(self, ended: frozenset[int]) -> None:
        """A window was submitted. ended: processes that are gone, and in no later window."""
        if ended:
            self._resolver.then(partial(self._resolver.forget_processes, ended))
        self._windows += 1
        if (
            self._windows >= KEPT_WINDOWS
            or self._stacks.newest >= MOST_STACKS
            or self._objects.is_short_of_numbers
        ):
            self._windows = 0
            self._resolver.then(partial(self._forget, self._stacks.retire()))

    def _forget(self, retired: Generation) -> None:
        """In the resolver's thread, once all windows are named that were submitted before."""
        self._namer.renew()
        self._resolver.renew()
        self._stacks.forget(retired)
