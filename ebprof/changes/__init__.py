"""What changed between two ranges of time: who calls, what runs, what was deployed.

An `Observation` has what was observed in windows of both ranges and some time before them; `find`
lists what has changed by more than it varies anyway. Whoever asks makes the observation, of a store
or of profiles and traffic of this machine.
"""

from ebprof.changes.change import GONE, LESS, MORE, NEW, Change, Figure
from ebprof.changes.observed import Observation, Spans, Subject, Table
from ebprof.changes.ranking import find

__all__ = [
    "GONE",
    "LESS",
    "MORE",
    "NEW",
    "Change",
    "Figure",
    "Observation",
    "Spans",
    "Subject",
    "Table",
    "find",
]
