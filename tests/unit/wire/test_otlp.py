"""Our messages of OTLP are those of OpenTelemetry's own package, as far as they go."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2

from ebprof.wire.otlp import ExportRequest, ExportResponse, OlderRequest


def messages(top: Any, found: dict[str, Any]) -> dict[str, Any]:
    """A message, and all that are fields of it."""
    if top.full_name not in found:
        found[top.full_name] = top
        for one in top.fields:
            if one.message_type:
                messages(one.message_type, found)
    return found


OURS = messages(ExportResponse.DESCRIPTOR, messages(ExportRequest.DESCRIPTOR, {}))
THEIRS = profiles_service_pb2.DESCRIPTOR.pool


def fields(message: Any) -> set[tuple[object, ...]]:
    return {
        (
            one.name,
            one.number,
            one.type,
            one.is_repeated,
            getattr(one.message_type, "full_name", ""),
        )
        for one in message.fields
    }


@pytest.mark.parametrize("name", OURS)
def test_fields_are_the_published_ones(name: str) -> None:
    published = THEIRS.FindMessageTypeByName(name)
    assert len(OURS) > 15
    assert fields(OURS[name]) <= fields(published)


def test_older_samples_are_where_newer_ones_are() -> None:
    newer, older = ExportRequest.DESCRIPTOR, OlderRequest.DESCRIPTOR
    for name in ("resource_profiles", "scope_profiles", "profiles", "samples"):
        assert newer.fields_by_name[name].number == older.fields_by_name[name].number
        newer, older = (one.fields_by_name[name].message_type for one in (newer, older))
    numbers = [newer.fields_by_name[name].number for name in ("link_index", "values")]
    assert numbers == [one.number for one in older.fields]
