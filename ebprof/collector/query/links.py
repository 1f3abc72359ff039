"""Links to pages that show a change: paths and parameters as `docs/pages.md` has them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from ebprof.changes import GONE, NEW, Change
from ebprof.collector.query.selector import Matcher, Selector
from ebprof.collector.query.times import Range, written
from ebprof.collector.query.timing import Timing
from ebprof.collector.store.rows import SERVICE


def link(change: Change, timing: Timing) -> str:
    """The path and query of the page that shows a change."""
    return _LINKS.get(change.kind, _compared)(change, timing)


def _of_traffic(change: Change, timing: Timing) -> str:
    """Flows of both ranges, where they follow one another."""
    is_caller = change.kind == "callers"
    service, search, role = change.subject.service, change.subject.name, "server"
    if not is_caller or dict(change.subject.details).get("seen") == "client":
        role = "client"
    if is_caller and role == "client":  # the server's end does not know who calls
        service, search = change.subject.name, ""
    return _url(
        "/traffic",
        _both(timing),
        query=_selector(service=service),
        role=role,
        by="service,peer_service,peer_process,peer",
        search=search,
    )


def _compared(change: Change, timing: Timing) -> str:
    query = _selector(**{SERVICE: change.subject.service})
    return _compare(query, timing, change.subject.name)


def _of_build(change: Change, timing: Timing) -> str:
    return _compare(_selector(**{SERVICE: change.subject.service}), timing)


def _of_process(change: Change, timing: Timing) -> str:
    query = _selector(**{SERVICE: change.subject.service, "process": change.subject.name})
    if change.fate in (NEW, GONE):
        return _url("/profiles", _both(timing), query=query)
    return _compare(query, timing)


def _of_node(change: Change, timing: Timing) -> str:
    return _url("/profiles", _both(timing), query=_selector(node=change.subject.name), by="node")


_LINKS: dict[str, Callable[[Change, Timing], str]] = {
    "callers": _of_traffic,
    "callees": _of_traffic,
    "builds": _of_build,
    "processes": _of_process,
    "nodes": _of_node,
}


def _compare(query: str, timing: Timing, search: str = "") -> str:
    given: dict[str, str] = {}
    for side, within in (("left", timing.before), ("right", timing.after)):
        given |= {f"{side}_query": query, **_range(within, f"{side}_")}
    more = {"search": search} if search else {}
    return f"/compare?{urlencode(given | more)}"


def _url(path: str, within: Range, **given: str) -> str:
    return f"{path}?{urlencode(_range(within) | {k: v for k, v in given.items() if v})}"


def _both(timing: Timing) -> Range:
    is_one = timing.before.end_ms == timing.after.start_ms
    return Range(timing.before.start_ms, timing.after.end_ms) if is_one else timing.after


def _range(within: Range, side: str = "") -> dict[str, str]:
    return {f"{side}from": written(within.start_ms), f"{side}to": written(within.end_ms)}


def _selector(**labels: str) -> str:
    return str(Selector(tuple(Matcher(name, "=", value) for name, value in labels.items())))
