"""What the tests of several formats share."""

from __future__ import annotations

import io

from hypothesis import strategies as st

from ebprof.model import Frame, Location, Mapping, Profile, Sample, samples_of
from ebprof.output import OutputFormat

INT63 = st.integers(0, 2**63 - 1)
UINT64 = st.integers(0, 2**64 - 1)
PID = st.integers(0, 2**22)


def written(output: OutputFormat, profile: Profile) -> bytes:
    """What a format writes for a profile."""
    file = io.BytesIO()
    output.write(profile, file)
    return file.getvalue()


def mappings() -> st.SearchStrategy[Mapping]:
    return st.builds(Mapping, st.text(), st.text("0123456789abcdef"), UINT64, UINT64, UINT64)


def frames() -> st.SearchStrategy[Frame]:
    frame = st.builds(Frame, st.text(min_size=1), st.text(), INT63, st.text())
    return frame.filter(lambda one: one.function != one.system_name)


def locations() -> st.SearchStrategy[Location]:
    several = st.lists(frames(), min_size=1, max_size=3).map(tuple)
    return st.builds(Location, UINT64, st.none() | mappings(), several)


def samples() -> st.SearchStrategy[Sample]:
    stack = st.lists(locations(), max_size=5).map(tuple)
    count, time_ns = st.integers(1, 2**40), st.none() | INT63
    return st.builds(Sample, PID, PID, st.text(), stack, st.text(), count, time_ns)


def profiles() -> st.SearchStrategy[Profile]:
    """Whatever fits into a Profile, with no regard to what makes sense."""
    return st.builds(
        Profile,
        st.lists(samples(), max_size=4).map(samples_of),
        st.text(min_size=1),
        st.text(),
        INT63,
        INT63,
        INT63,
        st.lists(st.text()).map(tuple),
        st.integers(0, 10**18 - 1),
    )
