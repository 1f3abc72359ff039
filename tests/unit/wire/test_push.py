"""Our .proto files say what the published ones say."""

from __future__ import annotations

import pytest

from ebprof.wire import _schema
from ebprof.wire.push import PushRequest, PushResponse

# Of github.com/grafana/pyroscope, api/push/v1/push.proto and api/types/v1/types.proto: package,
# message, field, number and type, without the annotations that its server ignores in pushes.
PUBLISHED = {
    "push.v1.PushRequest": {"series": (1, True, "push.v1.RawProfileSeries")},
    "push.v1.PushResponse": {},
    "push.v1.RawProfileSeries": {
        "labels": (1, True, "types.v1.LabelPair"),
        "samples": (2, True, "push.v1.RawSample"),
    },
    "push.v1.RawSample": {"raw_profile": (1, False, "bytes"), "ID": (2, False, "string")},
    "types.v1.LabelPair": {"name": (1, False, "string"), "value": (2, False, "string")},
}
SCALARS = {9: "string", 12: "bytes"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_fields_are_the_published_ones(name: str) -> None:
    pool = PushRequest.DESCRIPTOR.file.pool
    fields = {
        one.name: (
            one.number,
            one.is_repeated,
            one.message_type.full_name if one.message_type else SCALARS[one.type],
        )
        for one in pool.FindMessageTypeByName(name).fields
    }
    assert fields == PUBLISHED[name]


def test_bytes_on_the_wire_are_those_of_other_implementations() -> None:
    message = PushRequest()
    series = message.series.add()
    series.labels.add(name="a", value="b")
    series.samples.add(raw_profile=b"\x1f", ID="c")
    labels, sample = "0a060a0161120162", "12060a011f120163"
    assert message.SerializeToString() == bytes.fromhex(f"0a10{labels}{sample}")
    assert PushResponse().SerializeToString() == b""


def test_a_line_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ValueError, match=r"x\.proto:2: cannot read 'oneof kind \{'"):
        _schema.parse("x.proto", 'syntax = "proto3";\noneof kind {\n')
