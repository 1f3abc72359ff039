"""Runtimes that tell names of their code: a module is one, and opens what it knows (Runtime).

Others add theirs by entry points of the group `ebprof.symbolizers`: docs/extending.md.
"""

from ebprof.symbolizers._protocol import ProcessSymbols, Runtime

__all__ = ["ProcessSymbols", "Runtime"]
