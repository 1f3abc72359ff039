"""Exports by OTLP: what their profiles become, what is left out, and what is refused."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ebprof.collector.limits import Limits
from ebprof.collector.receive.otlp import ATTRIBUTES, read_export
from ebprof.collector.receive.push import Push
from ebprof.collector.receive.refusals import RefusedError, TooLargeError
from ebprof.model import Profile
from ebprof.output import pprof
from tests.exports import Export

NOW = 1_700_000_000_000_000_000
LIMITS = Limits()
VARINT, BYTES = 0, 2


def take(export: Export, limits: Limits = LIMITS) -> Push:
    return read_export(export.bytes(), NOW, limits)


def export(*stacks: str, **fields: Any) -> Export:
    found = Export()
    found.profile(dict.fromkeys(stacks or ("main;f",), 3), **({"time_ns": NOW} | fields))
    return found


def profile_of(push: Push, number: int = 0) -> Profile:
    return pprof.read(io.BytesIO(push.message.series[number].samples[0].raw_profile))


def labels_of(push: Push) -> dict[str, str]:
    return {one.name: one.value for one in push.message.series[0].labels}


def test_a_profile_has_its_stacks_and_its_time() -> None:
    push = take(export("main;f", "main;g"))
    assert (push.profiles, push.stacks, push.rejected) == (1, 2, 0)
    found = profile_of(push)
    assert found.time_ns == NOW
    assert {
        (";".join(one.frames[0].function for one in reversed(sample.locations)), sample.count)
        for sample in found.samples
    } == {("main;f", 3), ("main;g", 3)}
    assert {one.locations[0].frames[0].line for one in found.samples} == {7}


def test_samples_at_a_period_amount_to_time() -> None:
    found = profile_of(take(export()))
    assert [(one.name, one.unit) for one in found.types] == [
        ("samples", "count"),
        ("cpu", "nanoseconds"),
    ]
    assert found.period == 10_000_000


@pytest.mark.parametrize("period", [("", "", 0), ("cycles", "count", 7), ("cpu", "nanoseconds", 0)])
def test_other_samples_are_only_counted(period: tuple[str, str, int]) -> None:
    found = profile_of(take(export(period=period)))
    assert [one.name for one in found.types] == ["samples"]


def test_values_and_times_are_summed_up() -> None:
    found = Export()
    profile = found.profile(time_ns=NOW, kind=("x", "count"))
    stack = found.stack("f")
    profile.samples.add(stack_index=stack, timestamps_unix_nano=[NOW, NOW + 1, NOW + 2])
    profile.samples.add(stack_index=stack, values=[2, 5], timestamps_unix_nano=[NOW, NOW + 1])
    assert sorted(one.count for one in profile_of(take(found)).samples) == [3, 7]


def test_addresses_stay_with_the_build_id_of_their_file() -> None:
    found = Export()
    profile = found.profile(time_ns=NOW)
    gnu = found.mapping("/lib/x.so", process__executable__build_id__gnu="abcd")
    hashed = found.mapping("/bin/y", process__executable__build_id__htlhash="12ef")
    for mapping in (gnu, hashed):
        location = found.location("", address=0x1234, mapping_index=mapping)
        found.dictionary.stack_table.add(location_indices=[location])
        stack = len(found.dictionary.stack_table) - 1
        profile.samples.add(stack_index=stack, values=[1])
    places = [one.locations[0] for one in profile_of(take(found)).samples]
    assert [
        (one.mapping.path, one.mapping.build_id, one.address) for one in places if one.mapping
    ] == [
        ("/lib/x.so", "abcd", 0x1234),
        ("/bin/y", "htl-12ef", 0x1234),
    ]


def test_attributes_of_samples_say_whose_they_are_and_why_they_end() -> None:
    found = Export()
    profile = found.profile(time_ns=NOW)
    indices = [
        found.attribute("process.pid", 42),
        found.attribute("process.executable.name", "shop"),
        found.attribute("thread.name", "worker"),
        found.attribute("ebprof.stop", "no_row"),
    ]
    profile.samples.add(stack_index=found.stack("f"), values=[1], attribute_indices=indices)
    (sample,) = profile_of(take(found)).samples
    assert (sample.pid, sample.comm, sample.stop) == (42, "shop", "no_row")


@pytest.mark.parametrize(
    ("resource", "labels"),
    [
        ({}, {}),
        ({"service.name": "shop", "host.name": "n"}, {"service_name": "shop", "node": "n"}),
        ({"process.executable.name": "x"}, {"service_name": "x", "process": "x"}),
        ({"k8s.container.name": "a", "container.name": "b"}, {"container": "a"}),
        ({"container.name": "b", "process.command_line": "secret"}, {"container": "b"}),
        ({"k8s.job.name": 7}, {"job": "7"}),
    ],
)
def test_attributes_of_resources_become_labels(
    resource: dict[str, object], labels: dict[str, str]
) -> None:
    assert labels_of(take(export(resource=resource))) == labels


def test_attributes_may_be_indexes_of_strings() -> None:
    found = export()
    attributes = found.message.resource_profiles[0].resource.attributes
    added = attributes.add(key_strindex=found.string("service.name"))
    added.value.string_value_strindex = found.string("shop")
    assert labels_of(take(found)) == {"service_name": "shop"}


def test_the_table_of_attributes_is_that_of_the_documentation() -> None:
    page = (Path(__file__).parents[4] / "docs" / "clients.md").read_text()
    section = page.split("| attribute | label |\n")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(.*)` \| `(.*)` \|$", section, re.MULTILINE) == [*ATTRIBUTES.items()]


def test_what_is_sent_again_has_the_same_id() -> None:
    def ids(found: Export) -> list[str]:
        return [one.samples[0].ID for one in take(found).message.series]

    assert ids(export()) == ids(export()) != [""]
    assert ids(export()) != ids(export(resource={"service.name": "x"}))
    assert ids(export(time_ns=0)) == [""]
    own = export()
    own.message.resource_profiles[0].scope_profiles[0].profiles[0].profile_id = bytes(range(16))
    assert ids(own)[0].startswith(bytes(range(16)).hex())


def test_an_empty_export_is_one() -> None:
    push = read_export(b"", NOW, LIMITS)
    assert (push.profiles, push.rejected, len(push.message.series)) == (0, 0, 0)


BAD: dict[str, tuple[Callable[[Export, Any], object], str]] = {
    "stack": (lambda e, p: p.samples.add(stack_index=99, values=[1]), "there is no stack 99"),
    "before": (lambda e, p: p.samples.add(stack_index=-1, values=[1]), "there is no stack -1"),
    "nothing": (
        lambda e, p: p.samples.add(stack_index=e.stack("f")),
        "neither values nor timestamps",
    ),
    "uneven": (
        lambda e, p: p.samples.add(values=[1, 2], timestamps_unix_nano=[NOW]),
        "other numbers of values and of timestamps",
    ),
    "negative": (lambda e, p: p.samples.add(values=[-1]), "a value is negative"),
    "large": (lambda e, p: p.samples.add(values=[1 << 62]), "values are too large"),
    "attribute": (
        lambda e, p: p.samples.add(values=[1], attribute_indices=[9]),
        "there is no attribute 9",
    ),
    "deep": (
        lambda e, p: p.samples.add(stack_index=e.stack(";".join(["f"] * 3000)), values=[1]),
        "more than 2048 frames",
    ),
    "old": (lambda e, p: setattr(p, "time_unix_nano", 5), "too old"),
    "no type": (lambda e, p: p.ClearField("sample_type"), "not the name of a sample type"),
    "string": (
        lambda e, p: setattr(p.sample_type, "type_strindex", 1 << 30),
        f"there is no string {1 << 30}",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_profile_is_left_out_and_the_others_are_not(name: str) -> None:
    spoil, text = BAD[name]
    found = Export()
    bad = found.profile({"main;f": 1}, time_ns=NOW)
    spoil(found, bad)
    with pytest.raises(RefusedError, match=text):
        take(found)
    for _ in range(2):
        found.profile({"main;g": 1}, time_ns=NOW)
    push = take(found)
    assert (push.profiles, push.rejected) == (2, 1)
    assert text in push.problem


def with_sample(found: Export, *fields: tuple[int, int]) -> bytes:
    """An export and behind it a profile with a sample of these fields: numbers, and wire types. It
    is put together by hand: classes would write fields in the layout that they know.
    """
    data = b"".join(
        bytes([number << 3 | kind]) + (b"\x01" if kind == VARINT else b"\x01\x01")
        for number, kind in fields
    )
    for number in (2, 2, 2, 1):  # samples, profiles, scope_profiles, resource_profiles
        data = bytes([number << 3 | BYTES, len(data)]) + data
    return found.bytes() + data


OLDER = {
    "1.9": ((1, VARINT), (2, BYTES), (3, BYTES)),
    "1.9 with a link": ((1, VARINT), (2, BYTES), (4, VARINT)),
    "1.9 with times": ((1, VARINT), (2, BYTES), (3, BYTES)),
    "1.7": ((1, VARINT), (2, VARINT), (3, BYTES), (4, BYTES)),
}


@pytest.mark.parametrize("name", OLDER)
def test_the_older_layout_is_refused_by_name(name: str) -> None:
    with pytest.raises(RefusedError, match=r"layout of opentelemetry-proto before 1\.10"):
        read_export(with_sample(export(), *OLDER[name]), NOW, LIMITS)


def test_older_samples_with_nothing_but_values_are_left_out_by_name() -> None:
    push = read_export(with_sample(export(), (1, VARINT), (2, BYTES)), NOW, LIMITS)
    assert (push.profiles, push.rejected) == (1, 1)
    assert "before 1.10" in push.problem


def test_all_of_the_newer_layout_is_none_of_the_older() -> None:
    found = export()
    (profile,) = found.message.resource_profiles[0].scope_profiles[0].profiles
    found.dictionary.link_table.add(trace_id=b"1" * 16, span_id=b"2" * 8)
    profile.samples.add(
        stack_index=1, link_index=1, values=[1], attribute_indices=[found.attribute("a", "b")]
    )
    assert take(found).stacks == 2


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Limits(profiles=1), "export has 2 profiles"),
        (Limits(stacks=1), "export has 2 samples"),
        (Limits(plain_bytes=10), "0 MiB as pprof"),
        (Limits(series=1), "2 series"),
    ],
)
def test_what_is_too_much_is_refused_as_a_whole(limits: Limits, text: str) -> None:
    found = export()
    found.profile({"main;g": 1}, time_ns=NOW)
    with pytest.raises(TooLargeError, match=text):
        take(found, limits)


def test_what_is_no_export_is_refused() -> None:
    with pytest.raises(RefusedError, match="not an ExportProfilesServiceRequest"):
        read_export(b"\xff", NOW, LIMITS)
