"""Whether two profiles have anything in common, and what may be called otherwise if not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from shlex import quote

from ebprof.comparison.join import Comparison, Pair
from ebprof.comparison.renaming import label_of
from ebprof.output import _functions
from ebprof.output._text import percent

LEAST_SHARED = 0.05
"""Share of A's and of B's samples that is in stacks which both have."""
_LEAST_ALIKE = 0.5
_MOST_NAMES = 3
_MOST_COMPARED = 50


def hardly_matches(comparison: Comparison) -> bool:
    """Whether hardly any sample of A, or of B, is in a stack that the other has as well."""
    pairs = zip(comparison.shared(), comparison.total, strict=True)
    return any(shared < LEAST_SHARED * total for shared, total in pairs)


def warnings(comparison: Comparison) -> list[str]:
    """What to say where hardly any stack matches, with names that may stand for each other."""
    return [_warning(comparison)] if hardly_matches(comparison) else []


def _warning(comparison: Comparison) -> str:
    shared, total = comparison.shared(), comparison.total
    shares = [percent(*one) for one in zip(shared, total, strict=True)]
    found = f"hardly any stack of A is in B: {shares[0]} of A's samples, {shares[1]} of B's"
    pairs = likely(comparison)
    if pairs:
        options = " ".join(f"--map {quote(f'{old}={new}')}" for old, new in pairs)
        return f"{found}; if a process or module was renamed, add {options}"
    if comparison.rebuilt:
        names = ", ".join(sorted(set(comparison.rebuilt.values()))[:_MOST_NAMES])
        return f"{found}; without symbols, other builds do not match: {names}"
    return found


def likely(comparison: Comparison) -> list[tuple[str, str]]:
    """Names that only A has, each with the one of B that is most like it: a few."""
    found: list[tuple[str, str]] = []
    for weights in (_processes(comparison), _modules(comparison)):
        gone = _heaviest((name, one.before) for name, one in weights.items() if not one.after)
        new = _heaviest((name, one.after) for name, one in weights.items() if not one.before)
        found += _alike(gone, new)
    return list(dict.fromkeys(found))[:_MOST_NAMES]


def _alike(gone: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    is_one = len(gone) == len(new) == 1
    for old in gone:
        likeness = {name: SequenceMatcher(None, old, name).ratio() for name in new}
        best = max(likeness, key=likeness.__getitem__, default="")
        if best and (is_one or likeness[best] >= _LEAST_ALIKE):
            new.remove(best)
            yield old, best


def _processes(comparison: Comparison) -> dict[str, Pair]:
    return _weights(
        comparison,
        {
            number: function.name
            for number, function in enumerate(comparison.functions)
            if function.kind == _functions.PROCESS
        },
    )


def _modules(comparison: Comparison) -> dict[str, Pair]:
    """Modules of code without names: the others are compared by their functions' names."""
    names: dict[int, str] = {}
    for number, function in enumerate(comparison.functions):
        name = function.name
        if number in comparison.rebuilt or function.kind != _functions.UNKNOWN:
            continue
        names[number] = label_of(name) if _functions.is_nameless(name) else name[1:-1]
    return _weights(comparison, names)


def _weights(comparison: Comparison, names: dict[int, str]) -> dict[str, Pair]:
    """Samples of the stacks that each name is on."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for stack in comparison.stacks:
        for name in {names[one] for one in stack.path if one in names}:
            before[name] += stack.count.before
            after[name] += stack.count.after
    return {name: Pair(before[name], after[name]) for name in before.keys() | after.keys()}


def _heaviest(weights: Iterable[tuple[str, int]]) -> list[str]:
    ordered = sorted(weights, key=lambda one: (-one[1], one[0]))
    return [name for name, _ in ordered[:_MOST_COMPARED]]
