"""Who may do what, and who is turned away at the door."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

import pytest

from ebprof.errors import BadFileError

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

import asyncio
from typing import Any

from starlette.responses import PlainTextResponse

from ebprof.address import Address, parse_address
from ebprof.collector.api.access import Tokens
from ebprof.collector.api.app import _Guard
from ebprof.errors import UsageError
from ebprof.wire import push


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    text = (
        "# who\n"
        f"agents push sha256:{digest('p')}\n"
        f"people read {digest('r')} # without the prefix\n\n"
        f"both push,read sha256:{digest('b')}\n"
    )
    return Tokens(write(tmp_path / "tokens", text))


def status(tokens: Tokens, path: str, authorization: str = "") -> int:
    """What a request is answered with; 200 where it gets through."""
    headers = [(b"authorization", authorization.encode())] if authorization else []
    scope = {"type": "http", "path": path, "headers": headers, "method": "GET"}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    asyncio.run(_Guard(PlainTextResponse("in"), tokens)(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("token", "pushes", "reads"),
    [("p", 200, 403), ("r", 403, 200), ("b", 200, 200), ("x", 401, 401), ("", 401, 401)],
)
def test_roles(tokens: Tokens, token: str, pushes: int, reads: int) -> None:
    basic = base64.b64encode(f"anyone:{token}".encode()).decode()
    for authorization in (f"Bearer {token}", f"Basic {basic}"):
        assert status(tokens, push.PATH, authorization) == pushes
        assert status(tokens, "/api/v1/labels", authorization) == reads
        assert status(tokens, "/metrics", authorization) == reads


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic !", "Digest x", "p"])
def test_without_a_token_there_is_health_only(tokens: Tokens, authorization: str) -> None:
    assert status(tokens, "/api/v1/labels", authorization) == 401
    assert status(tokens, "/nothing", authorization) == 401
    assert status(tokens, "/-/healthy", authorization) == 200


def test_tokens_change_while_it_runs(tokens: Tokens, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    new = write(tmp_path / "new", f"new push {digest('n')}\n")
    new.replace(path)
    assert status(tokens, push.PATH, "Bearer n") == 200
    assert status(tokens, push.PATH, "Bearer p") == 401
    path.write_text("nonsense\n")
    os.utime(path, (1, 1))
    assert status(tokens, push.PATH, "Bearer n") == 200
    path.unlink()
    assert status(tokens, push.PATH, "Bearer n") == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "has no tokens"), ("a push x\n", ":1"), (f"\na admin {digest('x')}\n", ":2")],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadFileError, match=message):
        Tokens(write(tmp_path / "tokens", text))
    with pytest.raises(BadFileError, match="no such file"):
        Tokens(tmp_path / "missing")


@pytest.mark.parametrize(
    ("text", "address", "is_loopback"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080), True),
        ("localhost:1", Address("localhost", 1), True),
        ("[::1]:8080", Address("::1", 8080), True),
        ("0.0.0.0:0", Address("0.0.0.0", 0), False),
        ("[::]:80", Address("::", 80), False),
        ("example.org:80", Address("example.org", 80), False),
    ],
)
def test_addresses(text: str, address: Address, is_loopback: bool) -> None:
    assert parse_address(text) == address
    assert address.is_loopback == is_loopback


@pytest.mark.parametrize("text", ["8080", ":8080", "::1:80", "a:b", "127.0.0.1:70000", "[::1]"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read address"):
        parse_address(text)
