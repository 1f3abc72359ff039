"""Files of the pages, as browsers get them."""

from __future__ import annotations

import asyncio
import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from ebprof.collector.pages import LATER, PAGES, assets
from scripts import vendor
from tests import collector_extra

collector_extra.need()
STATIC = Path(vendor.DIRECTORY).parent
GRAPH = Path(__file__).parents[4] / "ebprof" / "output" / "_flamegraph"
MODULES = sorted([*STATIC.glob("*.js"), *STATIC.glob("topology/*.js"), *GRAPH.glob("*.js")])
MOST_LINES, MOST_BYTES, MOST_OF_ALL = 300, 1 << 20, 400_000
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerously|\beval\b")


def get(path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    from starlette.applications import Starlette

    from ebprof.collector.api import pages

    application: Any = Starlette(routes=pages.routes())
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": given}
    asyncio.run(application(scope, receive, send))
    names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], names, b"".join(one.get("body", b"") for one in sent[1:])


@pytest.mark.parametrize("path", PAGES)
def test_all_pages_are_one_document(path: str) -> None:
    status, headers, body = get(path)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert body == assets().document
    assert headers["cache-control"] == "no-cache"


def test_nothing_inline_and_nothing_of_others_may_run() -> None:
    _, headers, body = get("/")
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy and "http" not in policy
    text = body.decode()
    assert re.findall(r"<script[^>]*>(.+?)</script>|<style|\son\w+=|\sstyle=", text) == []
    assert all(one.startswith("/static/") for one in re.findall(r'(?:src|href)="([^"]*)"', text))


def test_a_document_that_is_known_is_not_sent_again() -> None:
    _, headers, _ = get("/")
    status, again, body = get("/profiles", if_none_match=headers["etag"])
    assert (status, body, again["etag"]) == (304, b"", headers["etag"])


def test_files_are_kept_under_a_path_that_changes_with_them() -> None:
    path = f"/static/{assets().version}/app.js"
    status, headers, body = get(path)
    assert (status, body) == (200, (STATIC / "app.js").read_bytes())
    assert "immutable" in headers["cache-control"]
    _, headers, packed = get(path, accept_encoding="gzip, br")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == body
    assert get("/static/0123456789abcdef/app.js")[0] == 404


@pytest.mark.parametrize("name", ["index.html", "vendor/lock.json", "../__init__.py", "", "x.js"])
def test_no_other_file_is_sent(name: str) -> None:
    assert get(f"/static/{assets().version}/{name}")[0] == 404


def test_all_that_the_document_names_is_there() -> None:
    paths = re.findall(r'(?:src|href)="([^"]*)"', assets().document.decode())
    assert len(paths) > 10
    for path in paths:
        assert get(path)[0] == 200, path


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_modules_are_short_and_make_no_markup_of_text(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) < MOST_LINES
    assert MARKUP.findall(text) == []


def test_scripts_of_all_pages_are_small_and_those_of_one_come_later() -> None:
    sizes = {name: len(one.body) for name, one in assets().files.items() if name.endswith(".js")}
    later = {name: sizes.pop(name) for name in LATER}
    assert sum(sizes.values()) < MOST_OF_ALL
    assert sum(later.values()) < MOST_BYTES
    document = assets().document.decode()
    assert [name for name in later if name in document] == []
    assert all(f"/{name}" in document for name in sizes if name != "flamegraph/file.js")


def test_libraries_are_what_the_lock_says() -> None:
    lock = vendor.read_lock()
    assert vendor.problems(lock) == []
    for entry in lock:
        assert entry["licence"] in ("MIT", "Apache-2.0")
        assert any(file["name"].endswith(".LICENSE") for file in entry["files"])
