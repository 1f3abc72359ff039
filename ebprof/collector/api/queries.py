"""`/api/v1/`: parameters become a question, its answer becomes JSON or a file."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ebprof.changes.text import as_json
from ebprof.collector.api.answers import bytes_answer, error, json_answer
from ebprof.collector.api.graph import topology_json
from ebprof.collector.api.parameters import RANGE, SELECTION, SIDES, Parameters
from ebprof.collector.query import links, times
from ebprof.collector.query.changes import ChangesAnswer
from ebprof.collector.query.diff import Diff, DiffAnswer
from ebprof.collector.query.flamegraph import (
    COLUMNS,
    DEFAULT_NODES,
    FORMATS,
    MAX_NODES,
    TREE,
    Flamegraph,
    FlamegraphAnswer,
    Summary,
)
from ebprof.collector.query.flow_points import VALUES, FlowPoints, FlowPointsAnswer
from ebprof.collector.query.flows import FlowsAnswer
from ebprof.collector.query.labels import Agents, LabelNames, LabelValues, ProfileTypes
from ebprof.collector.query.missing import (
    DEFAULT_FILES,
    MOST_FILES,
    Missing,
    MissingAnswer,
    NamelessFile,
)
from ebprof.collector.query.services import Service, ServicesAnswer
from ebprof.collector.query.totals import Totals, TotalsAnswer
from ebprof.collector.service import Collector
from ebprof.collector.store.question import BadQuestionError, StoreError
from ebprof.collector.symbols.advice import what_helps
from ebprof.symbolize.quality import Quality

PREFIX = "/api/v1"
SUMMARY = "Ebprof-Summary"
_MEDIA_TYPES = {
    TREE: "application/json",
    COLUMNS: "application/json",
    "json": "application/json",
    "folded": "text/plain; charset=utf-8",
    "pprof": "application/octet-stream",
    "speedscope": "application/json",
    "svg": "image/svg+xml",
    "html": "text/html; charset=utf-8",
}
_Endpoint = Callable[[Collector, Request], Awaitable[Response]]


async def _labels(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, ("query", *RANGE))
    names = await collector.ask(LabelNames(given.selector(), given.range()))
    return json_answer({"rows": names})


async def _label_values(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, ("query", *RANGE))
    name = request.path_params["name"]
    values = await collector.ask(LabelValues(name, given.selector(), given.range()))
    return json_answer({"rows": values})


async def _types(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, RANGE)
    kinds = await collector.ask(ProfileTypes(given.range()))
    return json_answer({"rows": [{"type": one.name, "unit": one.unit} for one in kinds]})


async def _flamegraph(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, (*SELECTION, "max_nodes", "format"))
    form = given.choice("format", tuple(FORMATS), TREE)
    nodes = given.number("max_nodes", DEFAULT_NODES if form in (TREE, COLUMNS) else 0, MAX_NODES)
    question = Flamegraph(given.selection(collector.retention), form, nodes)
    answer: FlamegraphAnswer = await collector.ask(question)
    headers = {SUMMARY: json.dumps(_summary(answer.summary))}
    if form == "pprof":
        headers["Content-Disposition"] = 'attachment; filename="profile.pb.gz"'
    return bytes_answer(answer.body, _MEDIA_TYPES[form], headers=headers)


async def _diff(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, ("type", *SIDES, "max_nodes"))
    left, right = (given.selection(collector.retention, f"{side}_") for side in ("left", "right"))
    question = Diff(left, right, given.number("max_nodes", DEFAULT_NODES, MAX_NODES))
    answer: DiffAnswer = await collector.ask(question)
    return bytes_answer(answer.body, "application/json")


async def _series(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, (*SELECTION, "by", "step"))
    selection = given.selection(collector.retention)
    by = tuple(filter(None, [given.text("by")]))
    answer: TotalsAnswer = await collector.ask(Totals(selection, by, given.step_ms()))
    rows = [
        {"labels": dict(zip(by, one.labels, strict=False)), "points": one.points}
        for one in answer.series
    ]
    return json_answer(
        {
            **times.written_range(answer.covered),
            "step": answer.step_ms / 1000,
            "rows": rows,
        }
    )


async def _agents(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, RANGE)
    rows = await collector.ask(Agents(given.range()))
    return json_answer({"rows": rows})


async def _flows(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, ("query", *RANGE, "by"))
    answer: FlowsAnswer = await collector.ask(given.flows(collector.retention))
    return json_answer(
        {
            **times.written_range(answer.covered),
            "rows": answer.rows,
        }
    )


async def _flow_series(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, ("query", *RANGE, "by", "step"))
    question = FlowPoints(given.flows(collector.retention), given.step_ms())
    answer: FlowPointsAnswer = await collector.ask(question)
    return json_answer(
        {
            **times.written_range(answer.covered),
            "step": answer.step_ms / 1000,
            "columns": ["time", *VALUES],
            "rows": [one.keys | {"points": one.points} for one in answer.series],
        }
    )


async def _services(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, ("query", *RANGE, "by"))
    question = given.services(collector.retention)
    answer: ServicesAnswer = await collector.ask(question)
    return json_answer(
        {
            **times.written_range(answer.covered),
            "step": answer.step_ms / 1000,
            "first": answer.first_ms / 1000,
            "rows": [_service(question.by, one) for one in answer.services],
        }
    )


async def _missing_symbols(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, (*SELECTION, "limit"), {"type": "cpu"})
    most = given.number("limit", DEFAULT_FILES, MOST_FILES)
    answer: MissingAnswer = await collector.ask(Missing(given.selection(collector.retention), most))
    return json_answer(
        {
            "type": answer.type,
            "unit": answer.unit,
            **times.written_range(answer.covered),
            "total": answer.total,
            "self": answer.own,
            "nameless": answer.any,
            "pruned": answer.rest,
            "rows": [_missing_file(one, collector) for one in answer.files],
        }
    )


def _missing_file(found: NamelessFile, collector: Collector) -> dict[str, Any]:
    held = collector.symbols.held(found.build_id)
    return {
        "file": found.file,
        "build_id": found.build_id,
        "self": found.own,
        "nameless": found.any,
        "addresses": found.addresses,
        "object": Quality(held.object).name.lower() if held.object else None,
        "debug": Quality(held.debug).name.lower() if held.debug else None,
        "help": what_helps(found.file, found.build_id, held),
    }


def _service(by: str, found: Service) -> dict[str, Any]:
    traffic = found.traffic or (None,) * len(VALUES)
    return {
        by: found.name,
        "cpu": found.cpu,
        **dict(zip(VALUES, traffic, strict=True)),
        "cpu_points": found.cpu_points,
        "byte_points": found.byte_points,
    }


async def _changes(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, ("query", *RANGE, "baseline"))
    question = given.changes(collector.retention)
    answer: ChangesAnswer = await collector.ask(question)
    timing = answer.timing
    names = ("after", "before", "past")
    return json_answer(
        {
            **times.written_range(timing.after),
            "baseline": {"name": question.baseline, **times.written_range(timing.before)},
            "step": timing.step_ms / 1000,
            "windows": dict(zip(names, answer.windows, strict=True)),
            "notes": answer.notes,
            "rows": [as_json(one) | {"link": links.link(one, timing)} for one in answer.changes],
        }
    )


async def _topology(collector: Collector, request: Request) -> Response:
    given = Parameters(request.query_params, ("query", *RANGE, "by", "max_nodes"))
    question = given.topology(collector.retention)
    return json_answer(topology_json(question.by, await collector.ask(question)))


_ENDPOINTS: dict[str, _Endpoint] = {
    "/services": _services,
    "/labels": _labels,
    "/labels/{name}/values": _label_values,
    "/profiles/types": _types,
    "/profiles/flamegraph": _flamegraph,
    "/profiles/series": _series,
    "/profiles/diff": _diff,
    "/flows": _flows,
    "/flows/series": _flow_series,
    "/topology": _topology,
    "/agents": _agents,
    "/changes": _changes,
    "/symbols/missing": _missing_symbols,
}


def paths() -> list[str]:
    """All paths, for tests and documentation."""
    return [PREFIX + path for path in _ENDPOINTS]


def routes(collector: Collector) -> list[Route]:
    """Where queries go to."""
    return [
        Route(PREFIX + path, _guarded(collector, endpoint), methods=["GET"])
        for path, endpoint in _ENDPOINTS.items()
    ]


def _guarded(collector: Collector, endpoint: _Endpoint) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(collector, request)
        except BadQuestionError as found:
            return error(400, found.message, found.hint)
        except StoreError as found:
            return error(503, found.message, found.hint, {"Retry-After": "5"})

    return answer


def _summary(summary: Summary) -> dict[str, Any]:
    found = asdict(summary)
    covered = found.pop("covered")
    return found | {
        "from": times.written(covered["start_ms"]),
        "to": times.written(covered["end_ms"]),
    }
