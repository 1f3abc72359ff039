"""Addresses, and sockets that listen on them."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from ebprof.address import Address, UnixAddress, listen, parse_place, short_name
from ebprof.errors import EbprofError, UsageError


@pytest.mark.parametrize(
    ("text", "url", "is_loopback"),
    [
        ("127.0.0.1:80", "http://127.0.0.1:80", True),
        ("[::1]:80", "http://[::1]:80", True),
        ("0.0.0.0:80", "http://0.0.0.0:80", False),
        ("unix:/run/x.sock", "unix:/run/x.sock", True),
    ],
)
def test_places(text: str, url: str, is_loopback: bool) -> None:
    place = parse_place(text)
    assert (place.url, place.is_loopback) == (url, is_loopback)


@pytest.mark.parametrize("text", ["x", "1:2:3", "127.0.0.1:99999", ":80", "unix:", "unix:/"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read address"):
        parse_place(text)


def test_a_socket_of_this_machine_is_its_owners_and_may_be_far_down(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 200)
    directory.mkdir()
    path = directory / "x.sock"
    for _ in range(2):  # one that was left behind is replaced
        listen(UnixAddress(path)).close()
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    with (
        listen(UnixAddress(path)),
        socket.socket(socket.AF_UNIX) as client,
        short_name(path) as name,
    ):
        client.connect(name)


def test_a_file_that_is_no_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("mine")
    for wrong in (path, tmp_path / "missing" / "x"):
        with pytest.raises(EbprofError, match="cannot listen on"):
            listen(UnixAddress(wrong))
    assert path.read_text() == "mine"


def test_an_address_in_use() -> None:
    with listen(Address("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(EbprofError, match=f"cannot listen on 127.0.0.1:{port}: .*in use"):
            listen(Address("127.0.0.1", port))
