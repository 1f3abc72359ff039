"""Ground truth: what says of a stack whether it is right, the whole chain of it.

A program of tests/programs says at its top who calls whom; `chain` is that as a check:

    chain("main", "serve", "sixty")              # each called by the one before
    chain("main", times("descend", 31), "leaf")  # so many calls, all of them there
    chain("main", "sorts", ..., "compare")       # `...`: functions of others, as many as there are
    chain("main", ("one", "two"), "routine(*")   # one of them; a name that begins like this

A sample may be taken anywhere in the chain, so a stack may end before the chain does; but nothing
in it may be missing, doubled or foreign, and outside of it there is only what starts a program.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import EllipsisType

from tests.proof.stack import Stack

Truth = Callable[[Stack], bool]

# Between rounds, programs with several ways look up the one that was asked for, in main itself.
LOOKUP = ("main", ("strcmp*", "__strcmp*"))

# What may follow a name: parameters, template arguments, what a compiler made of the function.
_ANY_SIGNATURE = r"(?:[(<. @\[](?:(?!\)::)[^\n])*)?"
_PREFIX = r"(?:void )?(?:\(anonymous namespace\)::)?"
_START = (
    r"_start|_start_c|__libc_start\w*|libc_start\w*|__start_context|start_thread|(?:__)?clone3?|"
    r"\[(?:libc|ld-)[^\n]*\]\+0x[0-9a-f]+"
)
_RUST_START = (
    r"main|std::rt::lang_start[^\n]*|std::sys::backtrace::__rust_begin_short_backtrace[^\n]*"
)


@dataclass(frozen=True, slots=True)
class Times:
    """A function that calls itself: exactly so many calls of it, or up to so many."""

    name: str | tuple[str, ...]
    least: int
    most: int


Element = str | EllipsisType | Times | tuple[str, ...]


def times(name: str | tuple[str, ...], count: int) -> Times:
    """Exactly so many calls, one in the other."""
    return Times(name, count, count)


def up_to(name: str, count: int) -> Times:
    """Any number of calls, one in the other, zero to `count`."""
    return Times(name, 0, count)


def chain(*elements: Element, start: str = _START, stop: str = "complete") -> Truth:
    """Each function is called by the one before.

    start: regular expression of what is outside of the first, one frame or more. stop: the reason
    for which the stack must end.
    """
    return chains(elements, start=start, stop=stop)


def chains(*ways: Sequence[Element], start: str = _START, stop: str = "complete") -> Truth:
    """One of several chains; `...` stands for no function that any of them names."""
    return _matcher(ways, rf"(?:\n(?:{start}))+", stop)


def below(outer: Sequence[Element], *ways: Sequence[Element], start: str = _START) -> Truth:
    """Chains that begin alike."""
    return chains(*((*outer, *way) for way in ways), start=start)


def outermost(*elements: Element, stop: str = "complete") -> Truth:
    """A chain that begins with the outermost frame of the stack."""
    return _matcher((elements,), "", stop)


def rust(*ways: Sequence[Element]) -> Truth:
    """Chains below what calls a Rust program's main function."""
    return chains(*ways, start=f"{_START}|{_RUST_START}")


def any_of(*truths: Truth) -> Truth:
    """One of them says so."""
    return lambda stack: any(truth(stack) for truth in truths)


def without(name: str, truth: Truth) -> Truth:
    """A truth about the stacks that have no function whose name contains this."""
    return lambda stack: not any(name in f.function for f in stack.frames) and truth(stack)


def _matcher(ways: Sequence[Sequence[Element]], start: str, stop: str) -> Truth:
    own = "|".join({_name(element) for way in ways for element in way if element is not ...})
    pattern = re.compile(start + "(?:" + "|".join(_chain(way, own) for way in ways) + ")")

    def holds(stack: Stack) -> bool:
        names = "".join(f"\n{frame.function}" for frame in stack.frames)
        return stack.stop == stop and pattern.fullmatch(names) is not None

    return holds


def _chain(elements: Sequence[Element], own: str) -> str:
    """Nested optional groups: the chain may end after any of its elements but not before."""
    first, *others = elements
    rest = ""
    for element in reversed(others):
        rest = _step(element, rest, own)
    count = first.most if isinstance(first, Times) else 1
    return rf"(?:\n{_name(first)}){{{count}}}{rest}"


def _step(element: Element, rest: str, own: str) -> str:
    if element is ...:
        return rf"(?:\n(?!(?:{own})(?:\n|$))[^\n]+)*{rest}"
    if isinstance(element, Times):
        return _repeated(_name(element), element, rest)
    return rf"(?:\n{_name(element)}{rest})?"


def _repeated(name: str, element: Times, rest: str) -> str:
    """Fewer calls than it takes are a stack's end; what follows needs all of them."""
    most = element.most
    if element.least == 0:
        return rf"(?:\n{name}){{0,{most}}}{rest}"
    return rf"(?:(?:\n{name}){{{most}}}{rest}|(?:\n{name}){{0,{most}}})"


def _name(element: Element) -> str:
    if isinstance(element, Times):
        return _name(element.name)
    if isinstance(element, tuple):
        return "(?:" + "|".join(map(_name, element)) + ")"
    name = str(element)
    start = name.removesuffix("*")
    return _PREFIX + re.escape(start) + (_ANY_SIGNATURE if start == name else r"[^\n]*")
