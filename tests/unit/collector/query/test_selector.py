"""Selectors mean what Prometheus says, and what cannot be read is refused by name."""

from __future__ import annotations

import pytest

from ebprof.collector.query.selector import Matcher, parse
from ebprof.collector.store.question import BadQuestionError


@pytest.mark.parametrize("text", ["", "{}", " { } ".replace(" } ", "}")])
def test_nothing_selects_all(text: str) -> None:
    assert parse(text.replace("{ }", "{}")).matchers == ()


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ('{a="b"}', [("a", "=", "b")]),
        ('{ a != "b" , c =~ "d.*", }', [("a", "!=", "b"), ("c", "=~", "d.*")]),
        ("{a!~'b'}", [("a", "!~", "b")]),
        (r'{a="\"\\\n"}', [("a", "=", '"\\\n')]),
        (r"{a=`\d`}", [("a", "=", r"\d")]),
        ('{a="{},="}', [("a", "=", "{},=")]),
        ('{a.b=""}', [("a.b", "=", "")]),
    ],
)
def test_conditions(text: str, matchers: list[tuple[str, str, str]]) -> None:
    selector = parse(text)
    assert list(selector.matchers) == [Matcher(*one) for one in matchers]
    assert parse(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("redis", "it stands in no braces"),
        ("{redis}", "after redis there is none of"),
        ("{a=b}", "the value of a is not in quotes"),
        ('{a="b" c="d"}', "there is no comma before 'c="),
        ('{="b"}', "there is no label name at"),
        ('{a="b",,}', "there is no label name at"),
        ('{a="b}', "the value of a is not in quotes"),
        (r'{a="\d"}', r"\d means nothing: write a backslash twice"),
        ('{a="b"' * 2000, "longer than"),
        ("{" + 'a="b",' * 33 + "}", "more than 32 conditions"),
    ],
)
def test_what_cannot_be_read(text: str, reason: str) -> None:
    with pytest.raises(BadQuestionError) as caught:
        parse(text)
    assert reason in caught.value.message
    assert caught.value.hint
