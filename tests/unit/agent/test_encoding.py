"""What the agent encodes is what every reader of pprof reads, in each window of a lineage."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from ebprof.agent.encoding import Encoder, varint
from ebprof.agent.series import Series, cut
from ebprof.model import Builder, Frame, Location, Mapping, Profile, Samples
from ebprof.output import pprof
from ebprof.output._profile_proto import ProfileMessage
from tests import builders
from tests.unit.agent.test_series import IDENTITIES, of

DEMO = Mapping("/usr/bin/demo", "b1d" * 5, 0x400000, 0x500000, 0x1000)
KERNEL = Mapping("[kernel.kallsyms]")
HIGH = 0xFFFF_FFFF_8100_0000


def read(data: bytes) -> Profile:
    return pprof.read(io.BytesIO(data))


def standard(profile: Profile) -> Profile:
    """The profile, through the writer that all commands use."""
    file = io.BytesIO()
    pprof.write(profile, file)
    return read(file.getvalue())


def series(*texts: str) -> list[Series]:
    window = builders.profile(
        *(of(name, name, text, count) for name, text, count in map(split, texts)),
        time_ns=1_700_000_000_000_000_000,
        duration_ns=10**10,
        period=52_631_578,
    )
    return list(cut(window, IDENTITIES).series)


def split(text: str) -> tuple[str, str, int]:
    name, stack, count = text.split(" ")
    return name, stack, int(count)


def test_it_is_what_the_common_writer_writes() -> None:
    encoder = Encoder()
    for one in series("a main;f;g_[i] 3", "a main;h_[k] 200", "b x;y 1", "a main;f 1"):
        assert read(encoder.encode(one.profile)) == standard(one.profile)


def window(builder: Builder, *locations: Location, stop: str = "complete") -> Profile:
    numbers = [builder.location(one) for one in locations]
    builder.add(builder.stack(numbers), 2, stop=stop)
    builder.add(builder.stack(numbers[:1]), 3)
    return _profile(builder.take())


def _profile(samples: Samples) -> Profile:
    return replace(builders.profile("f"), samples=samples, time_ns=5, duration_ns=7, period=11)


def test_windows_of_a_lineage_and_of_others() -> None:
    named = Location(0x401234, DEMO, (Frame("inner", "a.c", 7), Frame("outer", "b.c", 1 << 20)))
    address = Location(0x4321, DEMO, ())
    kernel = Location(HIGH, KERNEL, (Frame("do_syscall_64"),))
    nowhere = Location(0, None, (Frame("jitted"),))
    encoder, first, second = Encoder(), Builder(), Builder()
    for profile in (
        window(first, named, kernel),
        window(first, kernel, named, address),
        window(second, nowhere, named),
        window(first, nowhere, kernel, stop="no_row"),
    ):
        assert read(encoder.encode(profile)) == standard(profile)


def test_what_is_known_of_a_mapping_is_said() -> None:
    encoder = Encoder()
    profile = window(Builder(), Location(1, DEMO, (Frame("f", "", 3),)), Location(2, KERNEL, ()))
    message = ProfileMessage.FromString(encoder.encode(profile))
    first, second = message.mapping
    assert (first.has_functions, first.has_filenames, first.has_line_numbers) == (True, False, True)
    assert not second.has_functions
    assert message.string_table[0] == b""


def test_odd_names_survive() -> None:
    builder = Builder()
    profile = window(builder, Location(1, DEMO, (Frame("naïve \udcff\n"),)))
    assert read(encoder_of(profile)).samples[0].locations[0].frames[0].function == "naïve ?\n"


def encoder_of(profile: Profile) -> bytes:
    return Encoder().encode(profile)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 4095, 4096, 1 << 35, (1 << 64) - 1, -1])
def test_numbers(number: int) -> None:
    body = b"\x60" + varint(number)
    unsigned = number & ((1 << 64) - 1)
    signed = unsigned - (1 << 64) if unsigned >> 63 else unsigned
    assert ProfileMessage.FromString(body).period == signed
