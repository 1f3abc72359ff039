from __future__ import annotations

import os
import select
import signal

import pytest

from ebprof.signals import SignalNotes, ending, tolerate_one


def is_readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def test_signals_are_noted_until_they_are_taken() -> None:
    with SignalNotes(signal.SIGUSR1, signal.SIGUSR2) as notes:
        assert not is_readable(notes.fd) and notes.take() == set()
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGUSR1)
        assert is_readable(notes.fd)
        assert notes.take() == {signal.SIGUSR1}
        assert not is_readable(notes.fd) and notes.take() == set()


def test_a_flood_of_signals_does_no_harm() -> None:
    with SignalNotes(signal.SIGUSR1) as notes:
        for _ in range(70_000):
            signal.raise_signal(signal.SIGUSR1)
        assert notes.take() == {signal.SIGUSR1}


def test_the_third_that_nobody_heeds_ends_the_run() -> None:
    with SignalNotes(signal.SIGINT, signal.SIGTERM) as notes:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        assert notes.is_set
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_ending_signals_that_are_taken_are_only_noted() -> None:
    with SignalNotes(signal.SIGINT) as notes:
        for _ in range(5):
            signal.raise_signal(signal.SIGINT)
            assert notes.take() == {signal.SIGINT}


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with SignalNotes(signal.SIGUSR1):
        assert signal.getsignal(signal.SIGUSR1) != before
    assert signal.getsignal(signal.SIGUSR1) == before


def test_what_comes_after_is_there_from_then_on() -> None:
    """There is no moment in between in which a signal could be lost."""
    before = signal.getsignal(signal.SIGUSR1)
    try:
        with SignalNotes(signal.SIGUSR1, after=tolerate_one) as notes:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert notes.take() == {signal.SIGUSR1}
        os.kill(os.getpid(), signal.SIGUSR1)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_hang_up_ends_a_run_unless_it_is_ignored(handler: signal.Handlers) -> None:
    before = signal.signal(signal.SIGHUP, handler)
    try:
        assert (signal.SIGHUP in ending()) == (handler == signal.SIG_DFL)
        assert {signal.SIGINT, signal.SIGTERM} <= set(ending())
    finally:
        signal.signal(signal.SIGHUP, before)
