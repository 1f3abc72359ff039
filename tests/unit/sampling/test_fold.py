"""Windows of one run as one profile, whatever their tables call things."""

from __future__ import annotations

from ebprof.model import Label, Sample, Samples, samples_of
from ebprof.sampling.fold import FoldedSamples
from tests.builders import stack


def total(*windows: Samples, slice_ns: int = 0) -> Samples:
    folded = FoldedSamples()
    for one in windows:
        folded.add(one)
    return folded.total(slice_ns)


def at(time_ns: int, count: int) -> Sample:
    made = stack("main;f", count)
    return Sample(made.pid, made.tid, made.comm, made.locations, made.stop, count, time_ns=time_ns)


def test_of_one_window_nothing_is_made_anew() -> None:
    only = samples_of([stack("main;f", 3)])
    assert total(only) is only
    assert len(total()) == 0


def test_equal_samples_of_several_windows_are_one() -> None:
    first = samples_of([stack("main;f", 3), stack("main;g", 1)])
    second = samples_of([stack("main;h", 5), stack("main;g", 2, comm="other"), stack("main;f", 4)])
    assert {(one.comm, one.locations, one.count) for one in total(first, second)} == {
        (one.comm, one.locations, one.count)
        for one in (
            stack("main;f", 7),
            stack("main;g", 1),
            stack("main;h", 5),
            stack("main;g", 2, comm="other"),
        )
    }


def test_labels_stay_with_their_samples() -> None:
    first = samples_of([stack("main;f", 3, labels=(Label("container", "a"),))])
    labels = (Label("container", "b"),), (Label("container", "a"),)
    second = samples_of([stack("main;f", 5, labels=one) for one in (*labels, ())])
    assert {(one.labels, one.count) for one in total(first, second)} == {
        (labels[0], 5),
        (labels[1], 8),
        ((), 5),
    }


def test_windows_of_shorter_slices_become_as_long_as_the_last_ones() -> None:
    found = total(
        samples_of([at(0, 1), at(10, 2), at(20, 4)]), samples_of([at(40, 8)]), slice_ns=20
    )
    assert [(one.time_ns, one.count) for one in found] == [(0, 3), (20, 4), (40, 8)]
