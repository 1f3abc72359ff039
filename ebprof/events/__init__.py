"""What `-e` names: a module is a kind of events, and finds those that it knows (EventKind).

Others add theirs by entry points of the group `ebprof.events`: docs/extending.md.
"""

from ebprof.events._choose import choose, listing
from ebprof.events._protocol import Event, EventKind, Processes, tend, warnings_of
from ebprof.events._traced import TracedEvent

__all__ = [
    "Event",
    "EventKind",
    "Processes",
    "TracedEvent",
    "choose",
    "listing",
    "tend",
    "warnings_of",
]
