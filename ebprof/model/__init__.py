"""What the rooms exchange: profiles in columns, flows, and the values that both are made of."""

from ebprof.model.builder import Builder, no_samples, samples_of
from ebprof.model.columns import (
    NONE,
    SAMPLE,
    Groups,
    Lists,
    Numbers,
    Samples,
    Tables,
    first_seen,
    grouped,
    sums,
)
from ebprof.model.flows import FlowCounts, FlowReport, FlowRow
from ebprof.model.profile import Profile
from ebprof.model.values import (
    KERNEL_PATH,
    SAMPLES,
    Frame,
    Label,
    Location,
    Mapping,
    Sample,
    SampleType,
)

__all__ = [
    "KERNEL_PATH",
    "NONE",
    "SAMPLE",
    "SAMPLES",
    "Builder",
    "FlowCounts",
    "FlowReport",
    "FlowRow",
    "Frame",
    "Groups",
    "Label",
    "Lists",
    "Location",
    "Mapping",
    "Numbers",
    "Profile",
    "Sample",
    "SampleType",
    "Samples",
    "Tables",
    "first_seen",
    "grouped",
    "no_samples",
    "samples_of",
    "sums",
]
