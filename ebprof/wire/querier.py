"""Pyroscope's querier.v1: what Grafana's datasource asks."""

from __future__ import annotations

from typing import Any

from ebprof.wire._schema import message_class

PREFIX = "/querier.v1.QuerierService/"


def _message(name: str) -> Any:
    return message_class("querier.proto", name)


ProfileTypesRequest = _message("querier.v1.ProfileTypesRequest")
ProfileTypesResponse = _message("querier.v1.ProfileTypesResponse")
LabelNamesRequest = _message("types.v1.LabelNamesRequest")
LabelNamesResponse = _message("types.v1.LabelNamesResponse")
LabelValuesRequest = _message("types.v1.LabelValuesRequest")
LabelValuesResponse = _message("types.v1.LabelValuesResponse")
SelectMergeStacktracesRequest = _message("querier.v1.SelectMergeStacktracesRequest")
SelectMergeStacktracesResponse = _message("querier.v1.SelectMergeStacktracesResponse")
SelectSeriesRequest = _message("querier.v1.SelectSeriesRequest")
SelectSeriesResponse = _message("querier.v1.SelectSeriesResponse")
DiffRequest = _message("querier.v1.DiffRequest")
DiffResponse = _message("querier.v1.DiffResponse")
