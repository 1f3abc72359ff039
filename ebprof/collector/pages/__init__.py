"""The pages that a collector shows: files as they lie here, and the flame graph of `ebprof flame`.

All are read once. Their paths have a hash of all of them in it, so that browsers may keep them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

STATIC = "/static"
PAGES = ("/", "/profiles", "/compare", "/traffic", "/topology")
"""Paths that show the same document: its script reads the path."""
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_VERSION = "{{version}}"
_MODULES = "{{modules}}"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Assets:
    """document: of all PAGES, as HTML. version: a hash of all files. files: by path below
    `STATIC/VERSION/`.
    """

    document: bytes
    version: str
    files: Mapping[str, Asset]


@cache
def assets() -> Assets:
    """All files of the pages."""
    own = files("ebprof.collector.pages").joinpath("static")
    graph = files("ebprof.output").joinpath("_flamegraph")
    found = dict(_walk(own, "")) | dict(_walk(graph, "flamegraph/"))
    document = own.joinpath("index.html").read_bytes()
    text = json.dumps({name: hashlib.sha256(one.body).hexdigest() for name, one in found.items()})
    version = hashlib.sha256(document + text.encode()).hexdigest()[:16]
    return Assets(_filled(document.decode(), version, found).encode(), version, found)


def _walk(directory: Traversable, prefix: str) -> Iterator[tuple[str, Asset]]:
    for one in sorted(directory.iterdir(), key=lambda found: found.name):
        if one.is_dir():
            yield from _walk(one, f"{prefix}{one.name}/")
        suffix = "." + one.name.rpartition(".")[2]
        if suffix in _MEDIA_TYPES:
            yield f"{prefix}{one.name}", Asset(_MEDIA_TYPES[suffix], one.read_bytes())


def _filled(document: str, version: str, found: Mapping[str, Asset]) -> str:
    """The document with the paths of today; modules are asked for before the first one is read."""
    base = f"{STATIC}/{version}"
    modules = [name for name in found if name.endswith(".js") and name not in (*_OF_FILES, *LATER)]
    links = "\n".join(f'<link rel="modulepreload" href="{base}/{name}">' for name in modules)
    return document.replace(_VERSION, version).replace(_MODULES, links)


LATER = tuple(
    [f"topology/{name}.js" for name in ("graph", "page", "panel", "places")]
    + [f"vendor/{name}.js" for name in ("cose-base", "cytoscape", "fcose", "layout-base")]
)
"""Modules of one page, which are loaded when somebody looks at it."""
_OF_FILES = ("flamegraph/file.js",)
"""Modules that only the files of `ebprof flame` have use for."""
