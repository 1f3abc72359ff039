"""How a pprof says that its samples are in slices of time."""

TIME, TIME_UNIT = "time", "nanoseconds"
"""Key and unit of the label of a slice's start, since the run's."""
SLICES = "slices of {} ns"
"""The comment that says how long a slice is."""
