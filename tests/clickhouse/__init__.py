"""A server of ClickHouse for tests: a process that loads it as a library, from npm."""

from __future__ import annotations

import ctypes
import os
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import clickhouse_connect
import pytest

from ebprof.tls import TlsFiles, load_certificate

LIBRARY = Path(__file__).parent / "node_modules" / "@chdb" / "lib-linux-x64-gnu" / "libchdb.so"
USER, PASSWORD = "ebprof", "s3cret/of @ours"
_PATIENCE_S = 60
_CONFIG = """
<clickhouse>
  <http_port>{port}</http_port>
  <listen_host>127.0.0.1</listen_host>
  <users_config>{directory}/users.xml</users_config>
</clickhouse>
"""
_USERS = """
<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password/><networks><ip>::/0</ip></networks>
      <profile>default</profile><quota>default</quota>
    </default>
    <{user}>
      <password>{password}</password><networks><ip>::/0</ip></networks>
      <profile>default</profile><quota>default</quota>
    </{user}>
  </users>
</clickhouse>
"""
_LISTEN = (
    "SYSTEM START LISTEN HTTP;"
    " SELECT sleepEachRow(1) FROM numbers(100000)"
    " SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 100000000"
    " FORMAT Null"
)


class Server:
    """A server on a directory, which is not started yet, and can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        config = _CONFIG.format(port=self.port, directory=directory)
        (directory / "config.xml").write_text(config)
        (directory / "users.xml").write_text(_USERS.format(user=USER, password=PASSWORD))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "tests.clickhouse", str(self._directory)]
        self._process = process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            assert process.poll() is None, "the server has ended"
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def kill(self) -> None:
        """End it with no chance to do anything."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def url(self, database: str, **options: str) -> str:
        """For --store."""
        return (
            f"clickhouse://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"
            f"?{urlencode(options)}"
        )

    def rows(self, database: str, sql: str) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with clickhouse_connect.get_client(
            host="127.0.0.1", port=self.port, username=USER, password=PASSWORD, database=database
        ) as client:
            return [*map(tuple, client.query(sql).result_rows)]


@contextmanager
def server(directory: Path) -> Iterator[Server]:
    """A server that is not started yet; it ends with the `with`."""
    if not LIBRARY.exists():
        pytest.skip("needs ClickHouse from npm: run npm ci in tests/clickhouse")
    found = Server(directory)
    try:
        yield found
    finally:
        found.kill()


@contextmanager
def tls_before(server: Server, files: TlsFiles) -> Iterator[int]:
    """A port at which the server is reached by TLS: this ClickHouse has none of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_certificate(context, files)

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (
                suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as theirs,
                socket.create_connection(("127.0.0.1", server.port)) as ours,
            ):
                threading.Thread(target=_relay, args=(ours, theirs), daemon=True).start()
                _relay(theirs, ours)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        relay.daemon_threads = True
        threading.Thread(target=relay.serve_forever, args=(0.05,), daemon=True).start()
        yield relay.server_address[1]
        relay.shutdown()


def _relay(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)


def main(directory: str) -> None:
    """Serve until somebody kills us."""
    options = ("--multiquery", f"--path={directory}/data", f"--config-file={directory}/config.xml")
    words = ("clickhouse", *options, f"--query={_LISTEN}")
    library = ctypes.CDLL(str(LIBRARY))
    library.query_stable_v2.restype = ctypes.c_void_p
    given = (ctypes.c_char_p * len(words))(*(word.encode() for word in words))
    library.query_stable_v2(len(words), given)
    os._exit(1)
