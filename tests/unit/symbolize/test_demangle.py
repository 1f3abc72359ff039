"""Readable names, and names that were made to do harm."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ebprof.symbolize.demangle import Demangler, is_mangled
from ebprof.symbolize.worker import OP_DEMANGLE, OP_SYMCACHE, Worker, WorkerError

NAMES = {
    "_ZN2ns1fEi": "ns::f(int)",
    "_ZNSt6vectorIiSaIiEE9push_backERKi": (
        "std::vector<int, std::allocator<int>>::push_back(int const&)"
    ),
    "_ZN12_GLOBAL__N_14bodyEv": "(anonymous namespace)::body()",
    "_ZN3FooC4Ev": "Foo::Foo()",
    "_ZN2ns1SIlE1fEiPKc.isra.0": "ns::S<long>::f(int, char const*) [clone .isra.0]",
    "_ZN2ns1fEi@plt": "ns::f(int)@plt",
    "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE": "core::fmt::Write::write_fmt",
    "_RNvCs1234_7mycrate3foo": "mycrate::foo",
    "_D3app5Thing3runMFiAyaZb": "app.Thing.run(int, immutable(char)[])",
    "_D3app4mainFZ9__lambda2MFNaNbZi": "app.main().__lambda2()",
    "_D3std5stdio__T7writelnTAyaZQnFNfQjZv": (
        "std.stdio.writeln!(immutable(char)[]).writeln(immutable(char)[])"
    ),
    "_D3app4mainFZv@plt": "app.main()@plt",
    "_D3app4mainFZv.cold": "app.main() [clone .cold]",
    "_Dmain": "D main",
    "_D3nonsense.cold": "_D3nonsense.cold",
    "_D3nonsense": "_D3nonsense",
    "_Dangerous": "_Dangerous",
    "_Z": "_Z",
    "_Znonsense": "_Znonsense",
    "main": "main",
    "i": "i",
    "?f@@YAXXZ": "?f@@YAXXZ",
}


@pytest.fixture
def worker() -> Iterator[Worker]:
    found = Worker()
    yield found
    found.close()


def bomb(doublings: int) -> str:
    """A name of a few hundred characters that demangles to 2**doublings times as many."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    name = "_Z1f1AIiiE"
    for number in range(doublings):
        name += f"S_IS{digits[number]}_S{digits[number]}_E"
    return name


def test_names(worker: Worker) -> None:
    demangler = Demangler(worker)
    demangler.learn(NAMES)
    assert {name: demangler.name(name) for name in NAMES} == NAMES


def test_only_mangled_names_are_sent() -> None:
    assert is_mangled("_ZN1fE")
    assert is_mangled("__ZN1fE")
    assert is_mangled("_RNvC1f")
    assert is_mangled("_D3app4mainFZv")
    assert is_mangled("_Dmain")
    assert not any(map(is_mangled, ["main", "", "_Exit", "_DYNAMIC", "Z", "?f@@YAXXZ", "__read"]))


def test_hostile_names_stay_and_harm_no_other(worker: Worker) -> None:
    deep = "_Z1f" + "1AI" * 20_000 + "i" + "E" * 20_000
    good = [f"_ZN2ns2f{digit}Ei" for digit in range(10)]
    demangler = Demangler(worker)
    start = time.monotonic()
    nested = ["_D1f" + "FP" * 5_000 + "iZv", "_D1f" + "__T1aT" * 2_000, "_D3appQa", "_D3é"]
    demangler.learn([*good, deep, bomb(33), "_Z\x7f", "_Zé", *nested])
    assert time.monotonic() - start < 30
    assert [demangler.name(name) for name in good] == [f"ns::f{digit}(int)" for digit in range(10)]
    assert demangler.name(deep) == deep
    assert [demangler.name(name) for name in nested] == nested
    assert demangler.name(bomb(33)) == bomb(33)


def test_long_results_are_not_kept(worker: Worker) -> None:
    name = bomb(12)
    demangler = Demangler(worker)
    demangler.learn([name])
    assert demangler.name(name) == name


def test_worker_comes_back(worker: Worker) -> None:
    assert worker.request(OP_DEMANGLE, b"_ZN1a1bEv\0") == b"a::b()\0"
    first = worker._process
    with pytest.raises(WorkerError, match="crashed"):
        worker.request(OP_DEMANGLE, b"_Z1f" + b"1AI" * 20_000 + b"i" + b"E" * 20_000 + b"\0")
    assert worker.request(OP_DEMANGLE, b"_ZN1a1bEv\0") == b"a::b()\0"
    assert first is not None
    assert first.poll() is not None


def test_worker_says_what_it_cannot_do(worker: Worker) -> None:
    with pytest.raises(WorkerError, match="not enough values"):
        worker.request(OP_SYMCACHE, b"")
    assert worker.request(OP_DEMANGLE, b"") == b""
