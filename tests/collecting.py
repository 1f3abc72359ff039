"""A collector as people run it: `ebprof collector`, on a port that is free."""

from __future__ import annotations

import functools
import http.client
import json
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import PIPE
from typing import Any, NamedTuple
from urllib.parse import urlencode

from ebprof.collector.retention import Retention
from ebprof.wire import push
from tests import stored
from tests.forked import Forked

_ADDRESS = re.compile(r"collector at https?://[^ ]+:(\d+),")
_PATIENCE_S = 120


class Answer(NamedTuple):
    """Of HTTP; headers: by lower-case name."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """A process of `ebprof collector`; it ends with the `with`.

    Where it has no store it begins with one that is empty; is_new: it makes that itself.
    """

    def __init__(self, data: Path, *options: str, port: int = 0, is_new: bool = False) -> None:
        if not is_new:
            stored.begin(data, Retention())
        words = ["collector", "--listen", f"127.0.0.1:{port}", "--data", data, *options]
        self.process = Forked("ebprof", *words, stderr=PIPE, text=True)
        self.port = int(self._first_match()[1])

    def _first_match(self) -> re.Match[str]:
        """Of the line that says where it listens; what it mended of its log it says before."""
        said = ""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if match := _ADDRESS.search(line):
                return match
            said += line
        raise AssertionError(said)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> str:
        """End it as Ctrl-C does; what it said since its start. It exits with 0."""
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=_PATIENCE_S)
        assert self.process.returncode == 0, said
        return said

    def kill(self) -> None:
        """End it with no chance to do anything."""
        self.process.kill()
        self.process.communicate(timeout=_PATIENCE_S)

    def store_pid(self) -> int | None:
        """The process of its store, if there is one."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        children = Path(path).read_text().split()
        return int(children[0]) if children else None

    def kill_store(self) -> None:
        """End the store's process with no chance to do anything."""
        pid = self.store_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request; raises OSError or HTTPException where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_S)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, answer.read(), names)
        finally:
            connection.close()

    def get(self, path: str, **parameters: object) -> Answer:
        """GET; underscores at the ends of names are left out (`from_`)."""
        pairs = {name.rstrip("_"): value for name, value in parameters.items()}
        return self.request("GET", f"{path}?{urlencode(pairs)}" if pairs else path)

    def push(self, message: Any, path: str = push.PATH, **headers: str) -> Answer:
        """Push a PushRequest."""
        given = {"Content-Type": "application/proto"} | headers
        return self.request("POST", path, message.SerializeToString(), given)

    def metric(self, name: str) -> int:
        """A metric without its prefix, with its label if it has one."""
        for line in self.get("/metrics").body.decode().splitlines():
            key, _, value = line.rpartition(" ")
            if key == f"ebprof_collector_{name}":
                return int(value)
        return 0

    def wait_until_ready(self) -> None:
        """Wait until the store answers."""
        self._wait(lambda: self.get("/-/ready").status == 200)

    def wait_until_stored(self) -> None:
        """Wait until all that was pushed can be asked for, as long as it becomes more."""
        left = self._left()
        while left:
            self._wait(functools.partial(self._is_less_than, left))
            left = self._left()

    def _is_less_than(self, before: int) -> bool:
        return self.metric("store_ready") == 1 and self._left() < before

    def _left(self) -> int:
        """Bytes that are not in the store."""
        return self.metric("log_bytes")

    def _wait(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE_S
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.05)
