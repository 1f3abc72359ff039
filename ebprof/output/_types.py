"""Sample types of a profile: which there are, and which one is shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ebprof.errors import BadFileError, UsageError
from ebprof.model import SAMPLES, Profile, SampleType
from ebprof.output._measure import COUNT, divisor
from ebprof.output._read import MAX_INT64

TOO_MUCH = "the counts add up to more than fits into 63 bits"
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
    values = values_of(profile)
    samples = replace(profile.samples, counts=values[:, shown], values=values)
    return check_counts(replace(profile, samples=samples, sample_types=types, shown=shown))


def is_bare(profile: Profile) -> bool:
    """Whether a profile does not say what was sampled: folded stacks, and what came of them."""
    name, unit = profile.subject
    return name == SAMPLES.name and unit.partition("/")[0] == COUNT


def without_others(profile: Profile) -> Profile:
    """The profile without samples that count nothing in the type shown."""
    if profile.is_sampled or profile.samples.counts.all():
        return profile
    return replace(profile, samples=profile.samples.take(profile.samples.counts != 0))


def in_parts(profile: Profile, parts: int) -> Profile:
    """The profile with counts in `count/parts`, for what is of whole ones or of larger parts.

    Raises UsageError when there are too many.
    """
    factor = parts // divisor(profile.subject.unit)
    if factor == 1:
        return profile
    if profile.total * factor > MAX_INT64:
        raise UsageError("counts of this size cannot be compared with others that have decimals")
    counts = profile.samples.counts * factor
    samples = replace(profile.samples, counts=counts, values=counts[:, None])
    kind = SampleType(profile.subject.name, f"{COUNT}/{parts}")
    return replace(profile, samples=samples, sample_types=(kind,), shown=0)


def values_of(profile: Profile) -> NDArray[np.int64]:
    """int64[samples, types]: a value for each of the profile's types."""
    samples = profile.samples
    return amounts(samples.counts, profile.period) if profile.is_sampled else samples.values


def amounts(counts: NDArray[np.int64], period: int) -> NDArray[np.int64]:
    """int64[n, 2]: numbers of samples, one each period, and what they amount to, at most MAX_INT64.

    Where the period is not known, int64[n, 1].
    """
    if not period:
        return counts[:, None]
    most = MAX_INT64 // period
    amount = np.where(counts > most, MAX_INT64, np.minimum(counts, most) * period)
    return np.stack([counts, amount], axis=1)


def check_counts(profile: Profile) -> Profile:
    """The profile; raises BadFileError when it is the difference of two, or counts too much."""
    counts = profile.samples.counts
    what = "sample of count" if profile.is_sampled else f"value of {profile.subject.name}:"
    least, most = int(counts.min(initial=0)), int(counts.max(initial=0))
    if least < 0:
        raise BadFileError(
            f"profile has a {what} {least}",
            "it is the difference of two profiles: give those to `ebprof diff`",
        )
    if most * len(counts) > MAX_INT64 and sum(counts.tolist()) > MAX_INT64:
        raise BadFileError(TOO_MUCH)
    return profile


def _find(name: str, names: list[str]) -> int | None:
    """The index of a type; `inuse_space` is also the `space` of older profiles."""
    if name.isascii() and name.isdigit():
        return int(name) if len(name) < 9 and int(name) < len(names) else None
    for known in (name, name.removeprefix(_INUSE)):
        if known in names:
            return names.index(known)
    return None
