"""One verb a module; each has a click command named `command` (CommandModule).

Others add theirs by entry points of the group `ebprof.commands`: docs/extending.md.
"""

from ebprof.commands._protocol import CommandModule

__all__ = ["CommandModule"]
