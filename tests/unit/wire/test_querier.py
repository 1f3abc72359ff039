"""What Grafana asks is read by the numbers that Pyroscope has published."""

from __future__ import annotations

import pytest

from ebprof.wire.querier import DiffResponse

# Of github.com/grafana/pyroscope, api/querier/v1/querier.proto and api/types/v1/types.proto: field,
# number and type, `*` for repeated ones; of the messages and fields that are used.
PUBLISHED = {
    "querier.v1.ProfileTypesRequest": "start 1 int64, end 2 int64",
    "querier.v1.ProfileTypesResponse": "profile_types 1 *types.v1.ProfileType",
    "querier.v1.SelectMergeStacktracesRequest": (
        "profile_typeID 1 string, label_selector 2 string, start 3 int64, end 4 int64, "
        "max_nodes 5 int64, format 6 querier.v1.ProfileFormat, "
        "stack_trace_selector 7 types.v1.StackTraceSelector, profile_id_selector 8 *string"
    ),
    "querier.v1.SelectMergeStacktracesResponse": "flamegraph 1 querier.v1.FlameGraph",
    "querier.v1.FlameGraph": (
        "names 1 *string, levels 2 *querier.v1.Level, total 3 int64, max_self 4 int64"
    ),
    "querier.v1.FlameGraphDiff": (
        "names 1 *string, levels 2 *querier.v1.Level, total 3 int64, max_self 4 int64, "
        "leftTicks 5 int64, rightTicks 6 int64"
    ),
    "querier.v1.Level": "values 1 *int64",
    "querier.v1.DiffRequest": (
        "left 1 querier.v1.SelectMergeStacktracesRequest, "
        "right 2 querier.v1.SelectMergeStacktracesRequest"
    ),
    "querier.v1.DiffResponse": "flamegraph 1 querier.v1.FlameGraphDiff",
    "querier.v1.SelectSeriesRequest": (
        "profile_typeID 1 string, label_selector 2 string, start 3 int64, end 4 int64, "
        "group_by 5 *string, step 6 double, aggregation 7 types.v1.TimeSeriesAggregationType, "
        "stack_trace_selector 8 types.v1.StackTraceSelector, limit 9 int64"
    ),
    "querier.v1.SelectSeriesResponse": "series 1 *types.v1.Series",
    "types.v1.ProfileType": (
        "ID 1 string, name 2 string, sample_type 4 string, sample_unit 5 string, "
        "period_type 6 string, period_unit 7 string"
    ),
    "types.v1.Series": "labels 1 *types.v1.LabelPair, points 2 *types.v1.Point",
    "types.v1.Point": "value 1 double, timestamp 2 int64",
    "types.v1.LabelValuesRequest": "name 1 string, matchers 2 *string, start 3 int64, end 4 int64",
    "types.v1.LabelValuesResponse": "names 1 *string",
    "types.v1.LabelNamesRequest": "matchers 1 *string, start 2 int64, end 3 int64",
    "types.v1.LabelNamesResponse": "names 1 *string",
    "types.v1.StackTraceSelector": "call_site 1 *types.v1.Location, go_pgo 2 types.v1.GoPGO",
    "types.v1.Location": "name 1 string",
    "types.v1.GoPGO": "keep_locations 1 uint32, aggregate_callees 2 bool",
}
ENUMS = {
    "querier.v1.ProfileFormat": ["UNSPECIFIED", "FLAMEGRAPH", "TREE"],
    "types.v1.TimeSeriesAggregationType": ["SUM", "AVERAGE"],
}
SCALARS = {1: "double", 3: "int64", 8: "bool", 9: "string", 13: "uint32"}
POOL = DiffResponse.DESCRIPTOR.file.pool


@pytest.mark.parametrize("name", PUBLISHED)
def test_fields_are_the_published_ones(name: str) -> None:
    fields = []
    for one in POOL.FindMessageTypeByName(name).fields:
        of = one.message_type or one.enum_type
        kind = of.full_name if of else SCALARS[one.type]
        fields.append(f"{one.name} {one.number} {'*' * one.is_repeated}{kind}")
    assert ", ".join(fields) == PUBLISHED[name]


@pytest.mark.parametrize("name", ENUMS)
def test_values_are_the_published_ones(name: str) -> None:
    values = POOL.FindEnumTypeByName(name).values
    assert [one.number for one in values] == list(range(len(values)))
    assert [one.name.rpartition("FORMAT_")[2].rpartition("TYPE_")[2] for one in values] == ENUMS[
        name
    ]
