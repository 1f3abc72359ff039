"""Certificates are checked, read again when they change, and refused in one line."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from ebprof.errors import BadFileError, UsageError
from ebprof.tls import ClientContext, TlsFiles, load_certificate, server_context
from tests.certificates import Authority, authority


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return authority(tmp_path / "ours")


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLSocket:
    """The client's end of a connection that both agreed to; raises SSLError."""
    theirs, mine = socket.socketpair()
    failed: list[Exception] = []

    def answer() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as connection:
                connection.sendall(b"welcome")
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        connection = client.wrap_socket(mine, server_hostname=name)
        assert connection.recv(7) == b"welcome"
        return connection
    finally:
        thread.join()
        theirs.close()


def test_the_name_and_the_issuer_are_checked(ours: Authority, tmp_path: Path) -> None:
    server = server_context(replace(ours.issue("localhost"), ca=None))
    client = ClientContext(TlsFiles(ca=ours.ca)).get()
    shake_hands(server, client, "localhost").close()
    with pytest.raises(ssl.SSLError):
        shake_hands(server, client, "elsewhere")
    others = authority(tmp_path / "others")
    for files in (TlsFiles(ca=others.ca), TlsFiles()):
        with pytest.raises(ssl.SSLError):
            shake_hands(server, ClientContext(files).get(), "localhost")


def test_a_server_with_a_ca_asks_for_certificates(ours: Authority, tmp_path: Path) -> None:
    server = server_context(ours.issue("localhost"))
    shake_hands(server, ClientContext(ours.issue("agent")).get(), "localhost").close()
    stranger = authority(tmp_path / "others").issue("agent", ca=ours.ca)
    for files in (TlsFiles(ca=ours.ca), stranger):
        with pytest.raises(OSError):
            shake_hands(server, ClientContext(files).get(), "localhost")


def test_certificates_are_replaced_without_a_restart(ours: Authority, tmp_path: Path) -> None:
    files = replace(ours.issue("localhost"), ca=None)
    server = server_context(files)
    others = authority(tmp_path / "others")
    client = ClientContext(TlsFiles(ca=tmp_path / "trusted.pem"))
    shutil.copy(ours.ca, tmp_path / "trusted.pem")
    shake_hands(server, client.get(), "localhost").close()
    load_certificate(server, others.issue("localhost"))
    with pytest.raises(ssl.SSLError):
        shake_hands(server, client.get(), "localhost")
    (tmp_path / "trusted.pem").write_bytes(others.ca.read_bytes() + b"\n")
    shake_hands(server, client.get(), "localhost").close()


def test_files_that_cannot_be_used(ours: Authority, tmp_path: Path) -> None:
    good = ours.issue("localhost")
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.touch()
    for wrong in (missing, empty, ours.ca):
        with pytest.raises(BadFileError, match=r"cannot (read|use)"):
            server_context(replace(good, key=wrong))
    for wrong in (missing, empty):
        with pytest.raises(BadFileError, match=r"cannot (read|use)"):
            ClientContext(TlsFiles(ca=wrong)).get()
    with pytest.raises(UsageError, match="belong together"):
        TlsFiles(cert=good.cert).check()
    TlsFiles().check()
