from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebprof.comparison import Comparison, FunctionChange, Pair, compare
from ebprof.comparison.join import SELF, TOTAL
from ebprof.comparison.ranking import grown, rank
from ebprof.comparison.tree import plant
from ebprof.errors import UsageError
from ebprof.model import Frame, Location, Mapping, Profile, Sample
from tests.builders import profile, stack
from tests.unit.output.written import profiles

SIDES = st.sampled_from("AB")
STACKS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["f", "g", "h_[k]", "[demo]+0x1"]), max_size=5).map(";".join),
        st.integers(1, 9),
        st.sampled_from(["one", "two"]),
    ),
    min_size=1,
    max_size=12,
).map(lambda stacks: profile(*(stack(text, count, comm=comm) for text, count, comm in stacks)))
ANY = profiles().filter(lambda one: one.total > 0)


def folded(*samples: Sample | str) -> Profile:
    """A profile as it comes out of folded stacks: it does not know its event."""
    return profile(*samples, event="samples", unit="count", period=0)


def changes(comparison: Comparison) -> dict[str, FunctionChange]:
    return {one.function.name: one for one in comparison.changes()}


def paths(comparison: Comparison) -> dict[str, Pair]:
    names = [one.name for one in comparison.functions]
    return {";".join(names[i] for i in one.path): one.count for one in comparison.stacks}


def test_functions_are_counted_in_both() -> None:
    found = changes(
        compare(
            profile(stack("main;f", 6), stack("main;gone", 4)),
            profile(stack("main;f", 3), stack("main;new", 1), stack("main", 1)),
        )
    )
    assert found.keys() == {"main", "f", "gone", "new"}
    assert (found["main"].own, found["main"].total) == ((0, 1), (10, 5))
    assert (found["f"].own, found["f"].total) == ((6, 3), (6, 3))
    assert (found["gone"].own, found["new"].own) == ((4, 0), (0, 1))


def test_shares_are_compared_and_not_counts() -> None:
    one, twice = profile(stack("f", 3), stack("g", 1)), profile(stack("f", 6), stack("g", 2))
    assert rank(compare(one, twice), SELF) == []
    comparison = compare(one, twice, is_absolute=True)
    assert [change.function.name for change in rank(comparison, SELF)] == ["f", "g"]
    assert comparison.points(Pair(3, 6)) == 37.5  # of the larger one's 8 samples


def test_recursion_counts_once() -> None:
    comparison = compare(profile(stack("f;f;f", 2)), profile(stack("f", 2)))
    assert changes(comparison)["f"].total == (2, 2)


def test_inlined_or_not_is_one_function() -> None:
    comparison = compare(profile("main;step_[i]"), profile("main;step"))
    assert rank(comparison, TOTAL) == []
    assert paths(comparison) == {"demo;main;step": Pair(1, 1)}


def test_kernel_and_user_functions_of_a_name_are_two() -> None:
    found = compare(profile("main;read"), profile("main;read_[k]")).changes()
    assert [(one.function.kind, one.own) for one in found if one.function.name == "read"] == [
        ("kernel", (0, 1)),
        ("user", (1, 0)),
    ]


def test_line_file_and_path_do_not_set_functions_apart() -> None:
    def built(path: str, line: int) -> Profile:
        place = Location(line, Mapping(path), (Frame("f", f"/{line}.c", line),))
        return profile(Sample(1, 1, "demo", (place,), "complete", 1))

    comparison = compare(built("/v1/libx.so.1", 10), built("/v2/libx.so.2", 20))
    assert rank(comparison, SELF) == []
    assert changes(comparison)["f"].function.module == "libx.so.2"


def test_the_module_is_known_if_one_of_both_knows_it() -> None:
    with_modules, without = profile("main"), folded(Sample(0, 0, "demo", (_bare("main"),), "", 1))
    for pair in ((with_modules, without), (without, with_modules)):
        assert changes(compare(*pair))["main"].function.module == "demo"


def _bare(name: str) -> Location:
    return Location(0, None, (Frame(name),))


def test_incomplete_stacks_are_compared_by_their_frames() -> None:
    comparison = compare(profile(stack("f", 3, stop="no_row")), folded("f"))
    assert paths(comparison) == {"demo;f": Pair(3, 1)}
    assert (comparison.before.incomplete, comparison.after.incomplete) == (3, 0)


def test_a_process_is_no_function() -> None:
    assert changes(compare(profile("demo"), profile("demo;demo"))).keys() == {"demo"}


@pytest.mark.parametrize("field", [{"event": "cycles"}, {"unit": "microseconds"}])
def test_what_counts_other_things_is_refused(field: dict[str, str]) -> None:
    with pytest.raises(UsageError) as refused:
        compare(profile("f"), profile("f", **field), ("old.pb.gz", "new.pb.gz"))
    assert "old.pb.gz counts cpu-clock (nanoseconds), new.pb.gz" in refused.value.message


def test_folded_stacks_may_be_of_any_event() -> None:
    assert compare(folded("f"), profile("f", event="cycles")).event == "cycles"
    assert compare(profile("f", event="cycles"), folded("f")).event == "cycles"


@pytest.mark.parametrize("pair", [(profile(), profile("f")), (profile("f"), profile())])
def test_a_profile_without_samples_is_refused(pair: tuple[Profile, Profile]) -> None:
    with pytest.raises(UsageError, match="has no samples"):
        compare(*pair)


def test_samples_of_other_periods_are_compared_by_what_they_stand_for() -> None:
    one, other = profile(stack("f", 10), period=1_000), profile(stack("f", 1), period=10_000)
    comparison = compare(one, other, is_absolute=True)
    assert comparison.amount(Pair(10, 1)) == (10, 10) and comparison.is_in_cores
    assert rank(comparison, SELF) == []
    few, many = (replace(each, event="page-faults", unit="count") for each in (one, other))
    assert compare(few, many, is_absolute=True).amount(Pair(10, 1)) == (10_000, 10_000)
    assert compare(one, folded("f"), is_absolute=True).amount(Pair(10, 1)) == (10, 1)


def test_cores_do_not_depend_on_the_length_of_a_recording() -> None:
    """Half a core in one second, and in four: 500 and 2,000 samples of a millisecond."""
    short = profile(stack("f", 300), stack("g", 200))
    long = profile(stack("f", 1200), stack("g", 800), duration_ns=4 * 10**9)
    comparison = compare(short, long, is_absolute=True)
    assert rank(comparison, SELF) == []
    assert comparison.before.cores == comparison.after.cores == 0.5
    assert comparison.amount(Pair(300, 1200)) == (300_000, 300_000)
    twice = compare(short, profile(stack("f", 600), stack("g", 200)), is_absolute=True)
    (f,) = rank(twice, SELF)
    assert f.function.name == "f" and not twice.is_chance(f.own)
    assert compare(short, folded("f"), is_absolute=True).is_in_cores is False
    assert compare(short, replace(long, duration_ns=0), is_absolute=True).is_in_cores is False


def test_what_chance_may_make_is_told_from_what_it_may_not() -> None:
    few = compare(profile(stack("f", 5), stack("g", 5)), profile(stack("f", 7), stack("g", 3)))
    many = compare(
        profile(stack("f", 5_000), stack("g", 5_000)), profile(stack("f", 7_000), stack("g", 3_000))
    )
    for is_absolute in (False, True):
        few_now = replace(few, is_absolute=is_absolute)
        many_now = replace(many, is_absolute=is_absolute)
        assert few_now.is_chance(Pair(5, 7))
        assert not many_now.is_chance(Pair(5_000, 7_000))


def test_growth_above_a_limit_is_exact() -> None:
    before = profile(stack("f", 1), stack("rest", 9))
    after = profile(stack("f", 6), stack("rest", 14), duration_ns=2)
    comparison = compare(before, after)  # f: 10 % to 30 %
    assert grown(comparison, SELF, Fraction(20)) == []
    (found,) = grown(comparison, SELF, Fraction("19.999"))
    assert found.function.name == "f"


def test_growth_of_self_and_of_total() -> None:
    comparison = compare(
        profile(stack("main;slow;leaf", 1), stack("main;fast;leaf", 9)),
        profile(stack("main;slow;leaf", 9), stack("main;fast;leaf", 1)),
    )
    assert grown(comparison, SELF, Fraction(5)) == []
    assert [one.function.name for one in grown(comparison, TOTAL, Fraction(5))] == ["slow"]


@given(ANY)
def test_a_profile_does_not_differ_from_itself(one: Profile) -> None:
    for is_absolute in (False, True):
        assert rank(compare(one, one, is_absolute=is_absolute), SELF) == []


@given(STACKS, STACKS, st.booleans())
def test_there_and_back_are_each_other_s_negative(
    one: Profile, other: Profile, is_absolute: bool
) -> None:
    there, back = (compare(*both, is_absolute=is_absolute) for both in ((one, other), (other, one)))
    wanted = {name: tuple(reversed(count)) for name, count in paths(back).items()}
    assert paths(there) == wanted
    for sort in (SELF, TOTAL):
        forth = [_points(there, change) for change in rank(there, sort)]
        negated = [_points(back, change) for change in rank(back, sort)]
        assert forth == [(name, -own, -total) for name, own, total in negated]


def _points(comparison: Comparison, change: FunctionChange) -> tuple[str, float, float]:
    return (
        change.function.name,
        comparison.points(change.own),
        comparison.points(change.total),
    )


@given(STACKS, STACKS)
def test_shares_add_up(one: Profile, other: Profile) -> None:
    comparison = compare(one, other)
    assert _sum(stack.count for stack in comparison.stacks) == comparison.total
    empty = _sum(stack.count for stack in comparison.stacks if len(stack.path) == 1)
    assert _sum([empty, *(change.own for change in comparison.changes())]) == comparison.total
    if empty == (0, 0):
        assert sum(comparison.points(one.own) for one in comparison.changes()) == pytest.approx(
            0, abs=1e-9
        )
    for change in comparison.changes():
        assert all(own <= total for own, total in zip(change.own, change.total, strict=True))


def _sum(counts: Iterable[Pair]) -> Pair:
    every = list(counts)
    return Pair(sum(one.before for one in every), sum(one.after for one in every))


@given(STACKS, STACKS, SIDES)
def test_a_tree_has_both_profiles_at_each_node_of_one(
    one: Profile, other: Profile, widths: str
) -> None:
    comparison = compare(one, other)
    planted = plant(comparison, widths)
    prefixes: Counter[tuple[tuple[int, ...], int]] = Counter()
    for stack_change in comparison.stacks:
        for depth in range(1, len(stack_change.path) + 1):
            for side in (0, 1):
                prefixes[stack_change.path[:depth], side] += stack_change.count[side]
    drawn = sorted(
        path for path, side in prefixes if side == "AB".index(widths) and prefixes[path, side]
    )
    assert planted.tree.nodes == [path[-1] for path in drawn]
    assert planted.total == [Pair(prefixes[path, 0], prefixes[path, 1]) for path in drawn]
    counts = {stack_change.path: stack_change.count for stack_change in comparison.stacks}
    assert planted.own == [counts.get(path, Pair()) for path in drawn]


def test_hostile_names_are_made_printable() -> None:
    comparison = compare(profile("a\x1bb"), profile("f"), ("a\nb", "\udc80"))
    assert "a?b" in changes(comparison)
    assert (comparison.before.name, comparison.after.name) == ("a?b", "?")
