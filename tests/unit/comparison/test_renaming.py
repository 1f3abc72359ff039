"""Processes and modules that have another name in B."""

from __future__ import annotations

import io

import pytest

from ebprof.comparison import Comparison, Pair, compare
from ebprof.comparison.matching import hardly_matches, likely, warnings
from ebprof.comparison.renaming import NOTHING, parse, renaming, unknown
from ebprof.errors import UsageError
from ebprof.model import Frame, Location, Mapping, Profile, Sample
from ebprof.output import folded
from tests.builders import profile, stack
from tests.unit.comparison.test_join import changes, paths


def joined(before: Profile, after: Profile, *texts: str) -> Comparison:
    return compare(before, after, renaming=renaming(before, after, parse(texts)))


def of(comm: str, *stacks: tuple[str, int]) -> list[Sample]:
    return [stack(text, count, comm=comm) for text, count in stacks]


ONE = profile(*of("shop-2.0", ("main;f", 6), ("main;g", 4)))
TWO = profile(*of("shop-2.1", ("main;f", 3), ("main;g", 7)))


def test_one_process_a_side_has_no_name() -> None:
    comparison = joined(ONE, TWO)
    assert paths(comparison) == {"main;f": Pair(6, 3), "main;g": Pair(4, 7)}
    assert comparison.unnamed == ("shop-2.0", "shop-2.1")
    assert warnings(comparison) == []


def test_the_same_process_keeps_its_name() -> None:
    comparison = joined(ONE, ONE)
    assert paths(comparison).keys() == {"shop-2.0;main;f", "shop-2.0;main;g"}
    assert comparison.unnamed == ()


def test_a_name_that_was_given_is_shown() -> None:
    comparison = joined(ONE, TWO, "shop-2.0=shop-2.1")
    assert paths(comparison)["shop-2.1;main;f"] == (6, 3)
    assert comparison.unnamed == ()


def test_processes_are_left_out_where_one_side_has_none() -> None:
    """As a collector's answer has none, and a recording has."""
    nameless = profile(*of("", ("main;f", 3), ("main;g", 7)))
    for pair in ((ONE, nameless), (nameless, ONE)):
        assert paths(joined(*pair)).keys() == {"main;f", "main;g"}
        assert joined(*pair).unnamed == ()


def test_several_processes_need_to_be_told() -> None:
    others = of("cron", ("run", 1))
    before, after = profile(*ONE.samples, *others), profile(*TWO.samples, *others)
    assert paths(joined(before, after))["shop-2.0;main;f"] == (6, 0)
    comparison = joined(before, after, "shop-2.0=shop-2.1")
    assert paths(comparison)["shop-2.1;main;f"] == (6, 3)
    assert paths(comparison)["cron;run"] == (1, 1)


def test_two_processes_may_become_one() -> None:
    before = profile(*of("a", ("f", 1)), *of("b", ("f", 2)))
    after = profile(*of("c", ("f", 3)), *of("d", ("f", 1)))
    assert paths(joined(before, after, "a=c", "b=c"))["c;f"] == (3, 3)


def test_a_long_name_is_meant_by_what_the_kernel_keeps_of_it() -> None:
    before = profile(*of("shop-server-2.0", ("f", 1)), *of("x", ("f", 1)))
    after = profile(*of("shop-server-2.1", ("f", 1)), *of("x", ("f", 1)))
    comparison = joined(before, after, "shop-server-2.0.3=shop-server-2.1.0")
    assert paths(comparison) == {"shop-server-2.1;f": (1, 1), "x;f": (1, 1)}


def test_names_are_those_of_a_and_not_given_twice() -> None:
    swapped = profile(*of("a", ("f", 1)), *of("b", ("g", 2)))
    other = profile(*of("b", ("f", 1)), *of("a", ("g", 2)))
    assert paths(joined(swapped, other, "a=b", "b=a")) == {"b;f": (1, 1), "a;g": (2, 2)}


def _in(path: str, name: str, comm: str, build_id: str = "") -> Sample:
    place = Location(0x1010, Mapping(path, build_id, 0x1000, 0x9000), (Frame(name),))
    return Sample(1, 1, comm, (place,), "complete", 1)


def test_a_function_is_one_in_both_modules() -> None:
    before = profile(_in("/opt/shop-2.0", "f", "shop-2.0"), _in("/opt/shop-2.0", "gone", "s"))
    after = profile(_in("/opt/shop-2.1", "f", "shop-2.1"), _in("/opt/shop-2.1", "new", "s"))
    found = changes(joined(before, after))
    assert found["f"].own == (1, 1)
    assert {name: one.function.module for name, one in found.items()} == {
        "f": "shop-2.1",
        "gone": "shop-2.0",
        "new": "shop-2.1",
    }
    mapped = changes(joined(before, after, "shop-2.0=shop-2.1"))
    assert mapped["gone"].function.module == "shop-2.1"


def test_the_module_of_the_only_process_is_the_other_s_too() -> None:
    before = profile(_in("/opt/shop-2.0", "[shop-2.0]+0x1010", "shop-2.0"))
    after = profile(_in("/opt/shop-2.1", "[shop-2.1]+0x1010", "shop-2.1"))
    assert changes(joined(before, after))["[shop-2.1]"].own == (1, 1)


def read(text: str) -> Profile:
    return folded.read(io.BytesIO(text.encode()))


def test_names_in_folded_stacks() -> None:
    before = read("shop-2.0;[shop-2.0]+0x10 2\nshop-2.0;[shop-2.0]+0x18;f 1\n")
    after = read("shop-2.1;[shop-2.1]+0x20 3\n")
    assert paths(joined(before, after)) == {"[shop-2.1]": (2, 3), "[shop-2.1];f": (1, 0)}


@pytest.mark.parametrize("text", ["", "=", "shop", "shop=", "=shop"])
def test_names_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read --map"):
        parse([text])


def test_a_name_may_have_the_sign_in_it() -> None:
    assert parse(["a=b=c", "a=b=c"]) == {"a": "b=c"}


def test_names_that_are_not_there_are_said() -> None:
    assert [*unknown(ONE, TWO, {"shop-2.0": "shop-2.1", "demo": "demo"})] == []  # its module
    found = [*unknown(ONE, TWO, {"\x1bx": "y"})]
    assert [one.rsplit(" ", 1)[1] for one in found] == ["?x", "y"]


def test_hardly_any_is_less_than_a_twentieth_of_either() -> None:
    before = profile(stack("f", 5), stack("old", 95))
    assert not hardly_matches(compare(before, profile(stack("f", 5), stack("new", 95))))
    assert hardly_matches(compare(before, profile(stack("f", 4), stack("new", 96))))
    assert hardly_matches(compare(profile(stack("f", 4), stack("old", 96)), profile("f")))


def test_names_that_are_alike_are_proposed() -> None:
    before = profile(*of("shop-2.0", ("f", 9)), *of("db-11", ("f", 4)), *of("cron", ("f", 1)))
    after = profile(*of("db-12", ("f", 5)), *of("shop-2.1", ("f", 9)), *of("systemd", ("f", 1)))
    comparison = compare(before, after)
    assert likely(comparison) == [("shop-2.0", "shop-2.1"), ("db-11", "db-12")]
    assert warnings(comparison)[0].endswith("--map shop-2.0=shop-2.1 --map db-11=db-12")


def test_names_are_proposed_as_a_shell_takes_them() -> None:
    before = profile(*of("my shop", ("f", 9)), *of("x", ("g", 1)))
    after = profile(*of("my $hop", ("f", 9)), *of("x", ("h", 1)))
    assert warnings(compare(before, after))[0].endswith("--map 'my shop=my $hop'")


def test_modules_without_symbols_are_proposed_too() -> None:
    before = read("x;[lib-1.so]+0x10 9\ny;g 1\n")
    after = read("x;[lib-2.so]+0x10 9\ny;h 1\n")
    assert likely(compare(before, after)) == [("lib-1.so", "lib-2.so")]
    comparison = joined(before, after, "lib-1.so=lib-2.so")
    assert changes(comparison)["[lib-2.so]"].own == (9, 9)


def test_nothing_is_renamed_without_a_reason() -> None:
    assert renaming(ONE, ONE, {}) == NOTHING
