from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

from hypothesis import given

from ebprof.model import Profile
from ebprof.output import svg
from tests.builders import example, profile, stack
from tests.unit.output.written import profiles, written

SPACE = "{http://www.w3.org/2000/svg}"


def titles(one: Profile) -> set[str]:
    picture = ElementTree.fromstring(written(svg, one))
    return {title.text or "" for title in picture.iter(f"{SPACE}title")}


def test_golden(check_golden: Callable[[str, bytes], None]) -> None:
    check_golden("example.svg", written(svg, example()))


def test_tooltips_say_name_samples_share_and_module() -> None:
    assert titles(profile(stack("main", 3), stack("main;f", 1))) == {
        "all (4 samples, 100.00%)",
        "demo (4 samples, 100.00%)",
        "main (4 samples, 100.00%, demo)",
        "f (1 sample, 25.00%, demo)",
    }


def test_narrow_frames_are_left_out() -> None:
    shown = titles(profile(stack("main;wide", 99_999), stack("main;narrow", 1)))
    assert any(title.startswith("wide ") for title in shown)
    assert not any(title.startswith("narrow ") for title in shown)


def test_boxes_lie_within_those_of_their_callers() -> None:
    picture = ElementTree.fromstring(written(svg, profile("main;f;g", "main;f", "main;h")))
    boxes = {
        (group.findtext(f"{SPACE}title") or "").split(" ")[0]: group.find(f"{SPACE}rect")
        for group in picture.iter(f"{SPACE}g")
    }

    def edges(name: str) -> tuple[float, float, float]:
        box = boxes[name]
        assert box is not None
        left, top = float(box.get("x", 0)), float(box.get("y", 0))
        return left, left + float(box.get("width", 0)), top

    for inner, outer in (("demo", "all"), ("main", "demo"), ("f", "main"), ("g", "f")):
        assert edges(outer)[0] <= edges(inner)[0] < edges(inner)[1] <= edges(outer)[1]
        assert edges(inner)[2] < edges(outer)[2]
    assert edges("f")[1] <= edges("h")[0]


@given(profiles())
def test_whatever_the_names_it_is_well_formed(any_profile: Profile) -> None:
    ElementTree.fromstring(written(svg, any_profile))
