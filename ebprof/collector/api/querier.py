"""Pyroscope's querier API, for Grafana's datasource: `POST /querier.v1.QuerierService/…`.

The questions are those of `/api/v1`; types, selectors and times are translated.
Source: github.com/grafana/pyroscope, api/querier/v1, and what Grafana's datasource sends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ebprof.collector.api.answers import refusal
from ebprof.collector.api.connect import answer, message_of
from ebprof.collector.profile_types import profile_type, stored_type
from ebprof.collector.query import selector as selectors
from ebprof.collector.query.diff import Diff
from ebprof.collector.query.flamebearer import Flamebearer, FlamebearerDiff
from ebprof.collector.query.flamegraph import COLUMNS, DEFAULT_NODES, MAX_NODES, Flamegraph
from ebprof.collector.query.labels import LabelNames, LabelValues, ProfileTypes
from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.selector import Selector
from ebprof.collector.query.times import Range
from ebprof.collector.query.totals import Totals, TotalsAnswer
from ebprof.collector.receive.refusals import BrokenError, RefusedError
from ebprof.collector.service import Collector
from ebprof.collector.store.question import BadQuestionError, StoreError
from ebprof.wire import querier as wire

MAX_BODY = 1 << 20
MOST_MATCHERS = 16
_DEFAULT_MS = 3_600_000
_TYPE = "__profile_type__"
_FLAMEGRAPHS = (0, 1)
"""Formats that are answered: none said, or flame graph."""

_Endpoint = Callable[[Collector, Any], Awaitable[Any]]


async def _profile_types(collector: Collector, asked: Any) -> Any:
    found = wire.ProfileTypesResponse()
    for kind in await collector.ask(ProfileTypes(_range(asked))):
        one = profile_type(kind.name)
        found.profile_types.add(ID=one.id, **one._asdict())
    return found


async def _label_names(collector: Collector, asked: Any) -> Any:
    within = _range(asked)
    names = {
        name
        for one in _selectors(asked.matchers)
        for name in await collector.ask(LabelNames(one, within))
    }
    return wire.LabelNamesResponse(names=sorted({*names, _TYPE}))


async def _label_values(collector: Collector, asked: Any) -> Any:
    within = _range(asked)
    if asked.name == _TYPE:
        kinds = await collector.ask(ProfileTypes(within))
        return wire.LabelValuesResponse(names=[profile_type(one.name).id for one in kinds])
    values = {
        value
        for one in _selectors(asked.matchers)
        for value in await collector.ask(LabelValues(asked.name, one, within))
    }
    return wire.LabelValuesResponse(names=sorted(values))


async def _stacktraces(collector: Collector, asked: Any) -> Any:
    graph = Flamegraph(_selection(collector, asked), COLUMNS, _nodes(asked))
    body: bytes = await collector.ask(Flamebearer(graph))
    return wire.SelectMergeStacktracesResponse.FromString(body)


async def _diff(collector: Collector, asked: Any) -> Any:
    left, right = (_selection(collector, one) for one in (asked.left, asked.right))
    question = Diff(left, right, max(_nodes(asked.left), _nodes(asked.right)))
    body: bytes = await collector.ask(FlamebearerDiff(question))
    return wire.DiffResponse.FromString(body)


async def _series(collector: Collector, asked: Any) -> Any:
    _refuse_if(asked.HasField("stack_trace_selector"), "stack_trace_selector")
    _refuse_if(asked.aggregation != 0, "another aggregation than the sum")
    by = tuple(dict.fromkeys(asked.group_by))
    selection = _selection(collector, asked)
    question = Totals(selection, by, _step_ms(asked, selection))
    found: TotalsAnswer = await collector.ask(question)
    series = sorted(found.series, key=lambda one: -sum(value for _, value in one.points))
    response = wire.SelectSeriesResponse()
    for one in series[: asked.limit] if asked.limit > 0 else series:
        added = response.series.add()
        for name, text in zip(by, one.labels, strict=False):
            added.labels.add(name=name, value=text)
        for at, value in one.points:
            added.points.add(timestamp=int(at * 1000), value=value)
    return response


_ENDPOINTS: dict[str, tuple[_Endpoint, Any]] = {
    "ProfileTypes": (_profile_types, wire.ProfileTypesRequest),
    "LabelNames": (_label_names, wire.LabelNamesRequest),
    "LabelValues": (_label_values, wire.LabelValuesRequest),
    "SelectMergeStacktraces": (_stacktraces, wire.SelectMergeStacktracesRequest),
    "SelectSeries": (_series, wire.SelectSeriesRequest),
    "Diff": (_diff, wire.DiffRequest),
}


def paths() -> list[str]:
    """All paths, for tests and documentation."""
    return [wire.PREFIX + name for name in _ENDPOINTS]


def routes(collector: Collector) -> list[Route]:
    """Where calls go to."""
    return [
        Route(wire.PREFIX + name, _guarded(collector, *found), methods=["POST"])
        for name, found in _ENDPOINTS.items()
    ]


def _guarded(collector: Collector, endpoint: _Endpoint, kind: Any) -> Callable[[Request], Any]:
    async def call(request: Request) -> Response:
        try:
            asked = await message_of(request, kind, MAX_BODY)
            return await asyncio.to_thread(answer, request, await endpoint(collector, asked))
        except BadQuestionError as found:
            return refusal(RefusedError(found.message, found.hint))
        except StoreError as found:
            return refusal(BrokenError(found.message, found.hint))
        except RefusedError as found:
            return refusal(found)

    return call


# ---- what is asked ----------------------------------------------------------------------------


class _UnimplementedError(RefusedError):
    """What Pyroscope has and we do not."""

    status = 501
    code = "unimplemented"


def _refuse_if(is_asked: bool, what: str) -> None:
    """What would select less must not be left out in silence."""
    if is_asked:
        raise _UnimplementedError(f"{what} is not for this server", "leave it out")


def _range(asked: Any) -> Range:
    """The range of a call, the last hour where it says none; raises BadQuestionError."""
    end = asked.end or time.time_ns() // 1_000_000
    start = asked.start or end - _DEFAULT_MS
    if not 0 <= start < end:
        raise BadQuestionError(f"start ({start}) is not before end ({end})", "in milliseconds")
    return Range(start, end)


def _selection(collector: Collector, asked: Any) -> Selection:
    """Samples of a type, of what a selector selects; raises BadQuestionError."""
    kind = stored_type(asked.profile_typeID)
    if not kind:
        raise BadQuestionError(
            f"cannot read profile type {asked.profile_typeID[:64]!r}",
            "write it like process_cpu:cpu:nanoseconds:cpu:nanoseconds",
        )
    now_ms = time.time_ns() // 1_000_000
    selector = _selector(asked.label_selector)
    return Selection(kind, selector, _range(asked), now_ms, collector.retention)


def _step_ms(asked: Any, selection: Selection) -> int:
    """The length of a step: of whole hours where samples of the range are gone."""
    if not 0.001 <= asked.step < 1e9:
        raise BadQuestionError(f"cannot read step {asked.step}", "give seconds")
    step_ms = int(asked.step * 1000)
    if selection.range.start_ms < selection.now_ms - selection.retention.raw_ms:
        return -(-step_ms // HOUR_MS) * HOUR_MS
    return step_ms


def _nodes(asked: Any) -> int:
    """How many nodes a flame graph may have; -1 is as many as there are."""
    _refuse_if(asked.HasField("stack_trace_selector"), "stack_trace_selector")
    _refuse_if(bool(asked.profile_id_selector), "profile_id_selector")
    _refuse_if(asked.format not in _FLAMEGRAPHS, "another format than flame graph")
    if asked.max_nodes < 0:
        return MAX_NODES
    return min(asked.max_nodes or DEFAULT_NODES, MAX_NODES)


# ---- selectors --------------------------------------------------------------------------------

_OF_TYPES = frozenset(
    {
        *("__name__", _TYPE, "__type__", "__unit__"),
        *("__period_type__", "__period_unit__"),
    }
)
"""Labels of Pyroscope that say what is said by the type already."""


def _selectors(matchers: Iterable[str]) -> list[Selector]:
    """Selectors of which any may match; all series where there is none."""
    texts = list(dict.fromkeys(matchers)) or [""]
    if len(texts) > MOST_MATCHERS:
        raise BadQuestionError(f"there are more than {MOST_MATCHERS} matchers", "ask for less")
    return [_selector(text) for text in texts]


def _selector(text: str) -> Selector:
    """A selector, before which the ID of a type may stand; what it says of types is left out."""
    found = selectors.parse(text[text.find("{") :] if "{" in text else "")
    return Selector(tuple(one for one in found.matchers if one.name not in _OF_TYPES))
