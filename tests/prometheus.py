"""A real Prometheus that scrapes what a test runs."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

_PATIENCE_S = 120


def need() -> None:
    """Skip where it is not installed."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        pytest.skip("needs prometheus (scripts/system-packages test)", allow_module_level=True)


def problems_of(page: str) -> str:
    """What promtool says of a page of metrics; empty where it is as it should be."""
    command = ["promtool", "check", "metrics"]
    return subprocess.run(command, input=page, capture_output=True, text=True).stderr


def problems_of_rules(path: Path) -> str:
    """The same of a file of rules."""
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True)
    return done.stderr if done.returncode else ""


class Prometheus:
    """One that runs, asked by PromQL."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def ask(self, expression: str, at: float | None = None) -> list[tuple[dict[str, str], float]]:
        """The labels and values of an instant vector; fails where the expression is refused."""
        return [(one["metric"], float(one["value"][1])) for one in self._result(expression, at)]

    def times(self, series: str, at: float | None = None) -> list[float]:
        """When the only series of a range was scraped."""
        (found,) = self._result(series, at)
        return [float(time) for time, _ in found["values"]]

    def _result(self, expression: str, at: float | None) -> list[Any]:
        asked = {"query": expression} | ({} if at is None else {"time": str(at)})
        try:
            url = f"{self._url}/api/v1/query?{urlencode(asked)}"
            with urllib.request.urlopen(url, timeout=_PATIENCE_S) as answer:
                return list(json.load(answer)["data"]["result"])
        except urllib.error.HTTPError as error:
            pytest.fail(f"{expression}: {error.read().decode()}")

    def value(self, expression: str) -> float:
        """Of the only sample; 0 where there is none."""
        found = self.ask(expression)
        assert len(found) <= 1, found
        return found[0][1] if found else 0.0

    def wait_until(self, expression: str, value: float) -> None:
        """Wait until it has a value."""
        end = time.monotonic() + _PATIENCE_S
        while self.value(expression) != value:
            assert time.monotonic() < end, (expression, value, self.ask(expression))
            time.sleep(0.5)


@contextmanager
def scraping(directory: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """One that scrapes targets, `host:port` by job, once a second."""
    jobs = [
        {"job_name": name, "static_configs": [{"targets": [target]}]}
        for name, target in targets.items()
    ]
    config = directory / "prometheus.yml"  # JSON is YAML
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}))
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    try:
        found = Prometheus(port)
        _wait_for(f"http://127.0.0.1:{port}/-/ready")
        yield found
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not _answers(url):
        assert time.monotonic() < end
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


def names_in(expression: str) -> set[str]:
    """Metrics of ours that an expression is about."""
    return set(re.findall(r"\bebprof_\w+", expression))
