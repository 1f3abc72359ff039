from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

from ebprof.model import Profile
from ebprof.output import flamegraph
from tests.builders import HOSTILE, example, profile, stack
from tests.unit.output.written import written


class _Page(HTMLParser):
    """Start tags, and the text of each script, as an HTML parser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.append(data)


def page(one: Profile) -> _Page:
    return _Page(written(flamegraph, one).decode())


def data(one: Profile) -> Any:
    return json.loads(page(one).scripts[0])


def test_hostile_names_do_not_leave_the_data() -> None:
    hostile = stack("main", comm=HOSTILE, stop=HOSTILE)
    shown = page(profile(hostile, event=HOSTILE, comments=(HOSTILE,)))
    assert [tag for tag, _ in shown.tags].count("script") == 2
    assert len(shown.scripts) == 2


def test_placeholders_in_names_are_left_alone() -> None:
    assert "{{script}}" in data(profile("{{script}}"))["functions"]["name"]


def test_nothing_is_loaded_from_elsewhere() -> None:
    attributes = [attribute for _, found in page(example()).tags for attribute in found]
    assert not {"src", "href"} & set(attributes)


def test_only_the_page_s_own_script_may_run() -> None:
    (policy,) = (
        found["content"]
        for tag, found in page(example()).tags
        if tag == "meta" and found.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None and "unsafe" not in policy and "default-src 'none'" in policy


def test_functions_carry_kind_module_and_lines() -> None:
    shown = data(profile(stack("main;f;longer_[i];read_[k]"), stack("f;f;main")))
    functions = shown["functions"]
    by_name = {
        name: (
            shown["kinds"][functions["kind"][number]],
            shown["modules"][functions["module"][number]],
            shown["files"][functions["file"][number]],
            functions["first"][number],
            functions["inlined"][number],
        )
        for number, name in enumerate(functions["name"])
    }
    assert by_name["f"] == ("user", "demo", "/src/demo.c", 1, 0)
    assert by_name["longer"] == ("user", "demo", "/src/demo.c", 6, 1)
    assert by_name["read"] == ("kernel", "[kernel.kallsyms]", "/src/demo.c", 4, 0)
    assert by_name["demo"] == ("process", "", "", 0, 0)


def test_kinds_of_the_example() -> None:
    shown = data(example())
    kinds = dict(zip(shown["functions"]["name"], shown["functions"]["kind"], strict=True))
    names = {name: shown["kinds"][kind] for name, kind in kinds.items()}
    assert names["Fn:render"] == "jit"
    assert names["[libm.so.6]+0x2f130"] == "unknown"
    assert names["[incomplete: no_row]"] == "stop"


def test_stop_reasons_most_frequent_first() -> None:
    stops = data(profile(stack("f", 1, stop="no_row"), stack("g", 3), stack("h", 2)))["stops"]
    assert stops == [
        {"reason": "complete", "count": 5, "is_whole": True},
        {"reason": "no_row", "count": 1, "is_whole": False},
    ]
