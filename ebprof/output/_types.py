"""Sample types of a profile: which there are, and which one is shown."""

from __future__ import annotations

from dataclasses import replace

from ebprof.errors import BadFileError, UsageError
from ebprof.model import SAMPLES, Profile, Sample, SampleType
from ebprof.output._measure import COUNT, divisor
from ebprof.output._read import MAX_INT64

_INUSE = "inuse_"


def select(profile: Profile, name: str, file: str) -> Profile:
    """The profile with another of its sample types shown, all values kept.

    name: of a type, or its index, as `go tool pprof -sample_index` takes it. file: for errors.
    Raises UsageError when there is no such type, BadFileError when it has negative values.
    """
    types = profile.types
    shown = _find(name, [one.name for one in types])
    if shown is None:
        known = ", ".join(f"{one.name} ({one.unit})" for one in types)
        raise UsageError(f"{file} has no sample type {name!r}", f"there are {known}")
    if profile.is_sampled and not shown:
        return profile
    values = [values_of(one, profile) for one in profile.samples]
    samples = [
        replace(one, count=found[shown], values=found)
        for one, found in zip(profile.samples, values, strict=True)
    ]
    return check_counts(replace(profile, samples=tuple(samples), sample_types=types, shown=shown))


def is_bare(profile: Profile) -> bool:
    """Whether a profile does not say what was sampled: folded stacks, and what came of them."""
    name, unit = profile.subject
    return name == SAMPLES.name and unit.partition("/")[0] == COUNT


def without_others(profile: Profile) -> Profile:
    """The profile without samples that count nothing in the type shown."""
    if profile.is_sampled or all(one.count for one in profile.samples):
        return profile
    return replace(profile, samples=tuple(one for one in profile.samples if one.count))


def in_parts(profile: Profile, parts: int) -> Profile:
    """The profile with counts in `count/parts`, for what is of whole ones or of larger parts."""
    factor = parts // divisor(profile.subject.unit)
    if factor == 1:
        return profile
    samples = [
        replace(one, count=one.count * factor, values=(one.count * factor,))
        for one in profile.samples
    ]
    kind = SampleType(profile.subject.name, f"{COUNT}/{parts}")
    return replace(profile, samples=tuple(samples), sample_types=(kind,), shown=0)


def values_of(sample: Sample, profile: Profile) -> tuple[int, ...]:
    """A value for each of the profile's types."""
    if not profile.is_sampled:
        return sample.values
    return amounts(min(sample.count, MAX_INT64), profile.period)


def amounts(count: int, period: int) -> tuple[int, ...]:
    """A number of samples, one each period, and what they amount to where the period is known."""
    return (count, min(count * period, MAX_INT64)) if period else (count,)


def check_counts(profile: Profile) -> Profile:
    """The profile; raises BadFileError when it is the difference of two."""
    least = min((one.count for one in profile.samples), default=0)
    if least >= 0:
        return profile
    what = "sample of count" if profile.is_sampled else f"value of {profile.subject.name}:"
    raise BadFileError(
        f"profile has a {what} {least}",
        "it is the difference of two profiles: give those to `ebprof diff`",
    )


def _find(name: str, names: list[str]) -> int | None:
    """The index of a type; `inuse_space` is also the `space` of older profiles."""
    if name.isascii() and name.isdigit():
        return int(name) if len(name) < 9 and int(name) < len(names) else None
    for known in (name, name.removeprefix(_INUSE)):
        if known in names:
            return names.index(known)
    return None
