"""Pushes: whole, small enough, and such as our collector takes."""

from __future__ import annotations

import gzip
import time

import pytest

from ebprof.agent import pushes as module
from ebprof.agent.encoding import Encoder
from ebprof.agent.identities import Identities
from ebprof.agent.pushes import pushes
from ebprof.agent.series import Series, cut, lost
from ebprof.collector.limits import Limits
from ebprof.collector.receive.push import read_push
from ebprof.wire.push import PushRequest
from tests import builders
from tests.unit.agent.fakes import profile, samples_in

IDENTITIES = Identities("here", ())


def all_series(number: int, stacks: int = 5) -> tuple[Series, ...]:
    now = time.time_ns()
    window = profile(
        *(
            builders.stack(f"main;f{stack}", stack + 1, comm=f"c{series}", pid=series + 1)
            for series in range(number)
            for stack in range(stacks)
        ),
        time_ns=now,
    )
    return cut(window, IDENTITIES).series


def test_the_collector_takes_them() -> None:
    (push,) = pushes(
        (*all_series(3), *lost({"x": 2}, profile(time_ns=time.time_ns()), IDENTITIES)), Encoder()
    )
    found = read_push(gzip.decompress(push.body), time.time_ns(), Limits())
    assert (found.profiles, found.stacks) == (4, 16)
    assert push.amount == 3 * 15
    assert sum(map(samples_in, found.message.series)) == 45


@pytest.mark.parametrize(
    ("bound", "value", "count"), [("MAX_STACKS", 4, 8), ("MAX_SERIES", 2, 2), ("MAX_BYTES", 1, 4)]
)
def test_what_is_too_much_for_one_is_in_several(
    monkeypatch: pytest.MonkeyPatch, bound: str, value: int, count: int
) -> None:
    monkeypatch.setattr(module, bound, value)
    found = list(pushes(all_series(4), Encoder()))
    assert len(found) == count
    assert sum(one.amount for one in found) == 4 * 15
    series = [one for push in found for one in message(push.body).series]
    assert sum(map(samples_in, series)) == 4 * 15
    ids = [sample.ID for one in series for sample in one.samples]
    assert len(set(ids)) == len(ids)


def test_nothing_is_no_push() -> None:
    assert list(pushes((), Encoder())) == []


def message(body: bytes) -> PushRequest:
    return PushRequest.FromString(gzip.decompress(body))
