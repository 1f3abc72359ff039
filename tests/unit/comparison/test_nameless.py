"""Code without names: by where functions begin, in the same build."""

from __future__ import annotations

import io
import json
from fractions import Fraction

import pytest

from ebprof.comparison import Comparison, compare, text
from ebprof.comparison.join import SELF, TOTAL
from ebprof.comparison.matching import warnings
from ebprof.comparison.ranking import View, grown, rank
from ebprof.comparison.renaming import Renaming
from ebprof.comparison.reports import flamegraph, folded, table
from ebprof.comparison.reports import json as json_report
from ebprof.model import Frame, Location, Mapping, Profile, Sample
from ebprof.output import pprof
from tests.builders import profile
from tests.unit.comparison.test_join import changes, paths

SHIFT = 0x1000


def sample(
    *starts: int, count: int = 1, build: str = "c0ffee11", module: str = "shop", at: int | None = 4
) -> Sample:
    """A stack of functions without names by their starts, root first; sampled `at` behind these."""
    mapping = Mapping(f"/opt/{module}", build, SHIFT, 0x9000, 0)
    places = tuple(
        Location(start + (at or 0), mapping, (Frame(f"[{module}]+{start:#x}"),))
        for start in reversed(starts)
    )
    return Sample(1, 1, "shop", places, "complete", count)


def written(module: object, comparison: Comparison) -> str:
    file = io.BytesIO()
    module.write(comparison, View(), file)  # type: ignore[attr-defined]
    return file.getvalue().decode()


def test_functions_of_one_build_are_compared_by_their_starts() -> None:
    before = profile(sample(0x2000, 0x3000, count=6), sample(0x2000, 0x4000, count=4))
    after = profile(sample(0x2000, 0x3000, count=3, at=9), sample(0x2000, 0x4000, count=7, at=2))
    comparison = compare(before, after)
    assert paths(comparison) == {
        "shop;[shop]+0x2000;[shop]+0x3000": (6, 3),
        "shop;[shop]+0x2000;[shop]+0x4000": (4, 7),
    }
    assert comparison.builds() == []
    assert warnings(comparison) == []


BEFORE = profile(sample(0x2000, 0x3000, count=6), sample(0x2000, 0x4000, count=4))
AFTER = profile(
    sample(0x2000, 0x3000, count=7, build="0ddba112"),
    sample(0x2000, 0x4100, count=3, build="0ddba112"),
)


def test_functions_of_other_builds_are_gone_and_new() -> None:
    """Also where one begins at the same address: that is chance."""
    comparison = compare(BEFORE, AFTER)
    found = {name: one.own for name, one in changes(comparison).items()}
    assert found == {
        "[shop@c0ffee]+0x2000": (0, 0),
        "[shop@c0ffee]+0x3000": (6, 0),
        "[shop@c0ffee]+0x4000": (4, 0),
        "[shop@0ddba1]+0x2000": (0, 0),
        "[shop@0ddba1]+0x3000": (0, 7),
        "[shop@0ddba1]+0x4100": (0, 3),
    }
    (module,) = comparison.builds()
    assert (module.function.name, module.own, module.total) == ("[shop]", (10, 10), (10, 10))


def test_all_forms_tell_builds_apart() -> None:
    comparison = compare(BEFORE, AFTER)
    note = "shop is another build in B; its code without names: 100.00% in A, 100.00% in B"
    assert text.notes(comparison) == [f"{note}, 0.00 points"]
    assert note in written(table, comparison)
    assert note in written(flamegraph, comparison)
    lines = written(folded, comparison).splitlines()
    assert "shop;[shop@c0ffee]+0x2000;[shop@c0ffee]+0x3000 6 0" in lines
    (module,) = json.loads(written(json_report, comparison))["builds"]
    assert (module["function"], module["self"]["points"]) == ("[shop]", 0)
    assert "without symbols, other builds do not match: shop" in warnings(comparison)[0]


def test_another_build_is_no_regression() -> None:
    for share in (SELF, TOTAL):
        assert grown(compare(BEFORE, AFTER), share, Fraction(1)) == []
    beside = profile(*BEFORE.samples, sample(0x20, count=5, module="lib.so"))
    (found,) = grown(compare(beside, AFTER), SELF, Fraction(1))
    assert (found.function.name, found.own) == ("[shop]", (10, 10))


def test_modules_of_other_names_need_no_build() -> None:
    other = profile(sample(0x2000, 0x3000, build="0ddba112", module="shop-2"))
    assert {*changes(compare(BEFORE, other))} == {
        "[shop]+0x2000",
        "[shop]+0x3000",
        "[shop]+0x4000",
        "[shop-2]+0x2000",
        "[shop-2]+0x3000",
    }


def test_functions_of_another_build_stay_in_their_module() -> None:
    other = profile(sample(0x2000, 0x3000, build="0ddba112", module="shop-2"))
    found = compare(BEFORE, other, renaming=Renaming({"shop": "shop-2"}))
    assert {one.name: one.module for one in found.functions if one.module} == {
        "[shop]+0x2000": "shop",
        "[shop]+0x3000": "shop",
        "[shop]+0x4000": "shop",
        "[shop-2]+0x2000": "shop-2",
        "[shop-2]+0x3000": "shop-2",
    }
    (module,) = found.builds()
    assert (module.function.module, module.own) == ("shop-2", (10, 1))


def test_two_builds_on_both_sides() -> None:
    both = profile(*BEFORE.samples, *AFTER.samples)
    assert rank(compare(both, both), SELF) == []
    found = changes(compare(both, BEFORE))
    assert found["[shop@c0ffee]+0x3000"].own == (6, 6)
    assert found["[shop@0ddba1]+0x3000"].own == (7, 0)


def test_builds_that_begin_alike() -> None:
    one, other = ("c0ffee" + "0" * 10 + end for end in "12")
    found = changes(compare(profile(sample(0x10, build=one)), profile(sample(0x10, build=other))))
    assert {*found} == {f"[shop@{one}]+0x10", f"[shop@{other}]+0x10"}


@pytest.mark.parametrize(
    "after",
    [
        profile(sample(0x3000, build="")),
        profile(sample(0x3004, at=None)),
        profile(sample(0x3004 - SHIFT, at=SHIFT)),
    ],
    ids=("no_build_id", "address", "offset"),
)
def test_otherwise_a_module_is_one_function(after: Profile) -> None:
    """An address of a sample is no start, by whichever number: hardly two samples have the same."""
    for pair in ((BEFORE, after), (after, BEFORE)):
        found = changes(compare(*pair))
        assert {*found} == {"[shop]"}
    assert changes(compare(BEFORE, after))["[shop]"].own == (10, 1)


def test_without_mappings_too() -> None:
    place = Location(0, None, (Frame("[shop]+0x3000"),))
    bare = profile(Sample(1, 1, "shop", (place,), "complete", 2))
    assert changes(compare(BEFORE, bare))["[shop]"].own == (10, 2)


def test_saved_and_read_it_is_the_same() -> None:
    file = io.BytesIO()
    pprof.write(BEFORE, file)
    file.seek(0)
    again = pprof.read(file)
    comparison = compare(BEFORE, again)
    assert {*changes(comparison)} == {"[shop]+0x2000", "[shop]+0x3000", "[shop]+0x4000"}
    assert rank(comparison, SELF) == []
