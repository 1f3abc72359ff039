"""A profile: samples of one event over one run, and what they count."""

from __future__ import annotations

from dataclasses import dataclass, field

from ebprof.model.builder import no_samples
from ebprof.model.columns import Samples
from ebprof.model.values import SAMPLES, SampleType

# Names that users of pprof know for what an event amounts to.
_AMOUNTS = {"cpu-clock": "cpu", "task-clock": "cpu"}


@dataclass(frozen=True, slots=True)
class Profile:
    """Samples of one event over one run.

    event: name of what was sampled, e.g. `cpu-clock` or `cycles`.
    period: value of one sample in `unit` (nanoseconds for cpu-clock); 0 when unknown.
    time_ns: start, nanoseconds since the epoch; duration_ns: length of the run.
    slice_ns: length of the slices of time that samples are kept apart by; 0: none, or unknown.
    sample_types: what the values of each sample are. Empty for what a sampler records: then samples
    are counted, one each `period`.
    shown: index into sample_types of the values that are the samples' counts.
    warnings: what is missing of the file that the profile was read from, a line each.
    """

    samples: Samples = field(default_factory=no_samples)
    event: str = "cpu-clock"
    unit: str = "nanoseconds"
    period: int = 0
    time_ns: int = 0
    duration_ns: int = 0
    comments: tuple[str, ...] = field(default=())
    slice_ns: int = 0
    sample_types: tuple[SampleType, ...] = ()
    shown: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Number of samples taken, or the sum of the values shown."""
        return self.samples.total

    @property
    def is_sampled(self) -> bool:
        """True when samples are counted, and each stands for `period`."""
        return not self.sample_types

    @property
    def types(self) -> tuple[SampleType, ...]:
        """The sample types, also those that follow from the period."""
        if self.sample_types or not self.period:
            return self.sample_types or (SAMPLES,)
        return SAMPLES, SampleType(_AMOUNTS.get(self.event, self.event), self.unit)

    @property
    def subject(self) -> SampleType:
        """What the profile is about: the event that was sampled, or the sample type shown."""
        if self.is_sampled:
            return SampleType(self.event, self.unit)
        return self.sample_types[self.shown]
