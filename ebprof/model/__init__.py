"""What the rooms exchange: profiles in columns, flows, and the values that both are made of."""

from ebprof.model.arrays import distinct
from ebprof.model.builder import Builder, no_samples, samples_of
from ebprof.model.columns import (
    FRAME,
    FUNCTION,
    LABEL,
    LOCATION,
    MAPPING,
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
from ebprof.model.outermost import with_outermost
from ebprof.model.profile import Profile
from ebprof.model.values import (
    CONTAINER,
    KERNEL_PATH,
    SAMPLES,
    Frame,
    Label,
    Location,
    Mapping,
    Sample,
    SampleType,
    text_of,
)

__all__ = [
    "CONTAINER",
    "FRAME",
    "FUNCTION",
    "KERNEL_PATH",
    "LABEL",
    "LOCATION",
    "MAPPING",
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
    "distinct",
    "first_seen",
    "grouped",
    "no_samples",
    "samples_of",
    "sums",
    "text_of",
    "with_outermost",
]
