"""A flame graph in one HTML file: search, zoom, hide, compare; needs a browser and nothing else.

Page, styles and ES modules lie in `_flamegraph/`, and are those of the collector's pages. The call
tree goes into the file as JSON.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any, BinaryIO

from ebprof.model import Profile
from ebprof.output import _functions, _tree
from ebprof.output._bundle import bundle
from ebprof.output._functions import FunctionIndex
from ebprof.output._heading import title
from ebprof.output._measure import measure
from ebprof.output._slices import load_of
from ebprof.output._text import printable
from ebprof.output._tree import Tree

SUFFIXES = (".html", ".htm")
SHOWS_ROOTS = True
IS_FOR_PEOPLE = True

_STYLES = ("theme.css", "file.css", "graph.css")
_KINDS = [
    _functions.USER,
    _functions.KERNEL,
    _functions.JIT,
    _functions.UNKNOWN,
    _functions.PROCESS,
    _functions.STOP,
]


def write(profile: Profile, file: BinaryIO) -> None:
    """Write the page, as UTF-8."""
    write_page(title(profile), _data(profile), file)


def write_page(title: str, data: dict[str, Any], file: BinaryIO) -> None:
    """Write the page that shows `data`, whose members file.js knows; title: of the window."""
    style, script = "".join(map(_part, _STYLES)), _script()
    values = {
        "title": html.escape(title),
        "style": style,
        "style_hash": _hash(style),
        "script": script,
        "script_hash": _hash(script),
        "data": _escape(json.dumps(data, separators=(",", ":"))),
    }
    # One pass: what is put in is not looked at again, whatever it contains.
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], _part("page.html"))
    file.write(page.encode())


@cache
def _script() -> str:
    return bundle("file", lambda name: _part(f"{name}.js"))


def _part(name: str) -> str:
    return files("ebprof.output").joinpath("_flamegraph", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A source expression of Content Security Policy: only this very script or style may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _escape(text: str) -> str:
    """JSON that no HTML parser can take for the end of its script element, or for a comment."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _data(profile: Profile) -> dict[str, Any]:
    tree = _tree.build(profile)
    return {
        "count": tree.count,
        "total": tree.total,
        "title": title(profile),
        "unit": profile.unit,
        "period": profile.period,
        "time_ns": profile.time_ns,
        "duration_ns": profile.duration_ns,
        "comments": [printable(comment) for comment in profile.comments],
        "stops": _stops(profile),
        **_load(profile),
        **({} if profile.is_sampled else {"measure": measure(profile.subject)._asdict()}),
        **tree_columns(tree),
    }


def _load(profile: Profile) -> dict[str, Any]:
    """What load.js has to know of a profile in slices of time."""
    load = load_of(profile)
    if load is None:
        return {}
    members = {"step_ns": load.step_ns, "end_ns": load.end_ns, "counts": load.counts.tolist()}
    return {"load": members}


def tree_columns(tree: Tree) -> dict[str, Any]:
    """The members of a page's data that are its call tree, without what ends at its branches."""
    return {
        "kinds": _KINDS,
        **_function_columns(tree.index),
        "nodes": tree.nodes,
        "common": tree.common,
        "added": tree.added,
    }


def _stops(profile: Profile) -> list[dict[str, Any]]:
    """Samples by stop reason, most first; nothing when the profile does not carry reasons."""
    samples = profile.samples
    groups = samples.by("stop")
    reasons = [samples.tables.strings[one] for one in samples.rows["stop"][groups.first]]
    counts = zip(reasons, groups.sums(samples.counts).tolist(), strict=True)
    return [
        {"reason": printable(reason), "count": count, "is_whole": reason in _functions.WHOLE}
        for reason, count in sorted(counts, key=lambda one: -one[1])
        if reason
    ]


def _function_columns(index: FunctionIndex) -> dict[str, Any]:
    functions = index.functions
    modules = sorted({one.module for one in functions})
    paths = sorted({one.file for one in functions})
    module_number = {module: number for number, module in enumerate(modules)}
    path_number = {path: number for number, path in enumerate(paths)}
    columns = {
        "name": [one.name for one in functions],
        "module": [module_number[one.module] for one in functions],
        "kind": [_KINDS.index(one.kind) for one in functions],
        "inlined": [int(one.is_inlined) for one in functions],
        "file": [path_number[one.file] for one in functions],
        "first": [lines.first for lines in index.lines],
        "last": [lines.last for lines in index.lines],
    }
    return {"modules": modules, "files": paths, "functions": columns}
