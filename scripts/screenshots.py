"""Pictures of the pages for `docs/`: `python -m scripts.screenshots`.

It fills a collector with made-up services, and has a headless Chromium look at them.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ebprof.collector.query.times import written
from tests import made_up
from tests.browser.chromium import chromium
from tests.collecting import Running

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT = 1280, 620
MINUTES = 40
SETTLED_S = 3.0
EDGE = ["service", "search", "service", "redis", True]
SEARCH, REDIS = '{service_name="search"}', '{service="redis"}'


def main() -> int:
    """Take all of them."""
    end_s = int(time.time()) // made_up.WINDOW_S * made_up.WINDOW_S
    middle, start = (written((end_s - 60 * ago) * 1000) for ago in (MINUTES // 2, MINUTES))
    end = written(end_s * 1000)
    within = {"from": start, "to": end}
    sides = {"left_query": SEARCH, "left_from": start, "left_to": middle}
    sides |= {"right_query": SEARCH, "right_from": middle, "right_to": end}
    zoom = json.dumps(["_start", "__libc_start_main", "main"])
    views: dict[str, tuple[str, dict[str, str], str]] = {
        "services": ("/", within, "light"),
        "profiles": ("/profiles", within | {"query": SEARCH, "by": "build", "zoom": zoom}, "light"),
        "compare": ("/compare", sides | {"view": "flame"}, "dark"),
        "traffic": ("/traffic", within | {"query": REDIS, "by": "peer_service,peer_pid"}, "light"),
        "topology": (
            "/topology",
            within | {"open": json.dumps(EDGE, separators=(",", ":"))},
            "light",
        ),
    }
    with (
        tempfile.TemporaryDirectory() as directory,
        chromium(Path(directory) / "chromium") as browser,
        Running(Path(directory) / "data") as running,
    ):
        running.wait_until_ready()
        made_up.fill(running, made_up.few(), minutes=MINUTES, end_s=end_s)
        for name, (path, parameters, scheme) in views.items():
            url = f"http://127.0.0.1:{running.port}{path}?{urlencode(parameters)}"
            take(browser, url, scheme, ROOT / "docs" / f"page-{name}.png")
    return 0


def take(browser: Any, url: str, scheme: str, file: Path) -> None:
    """Look at a page until it does not change any more."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(url)
    seen: list[bytes] = []
    while len(seen) < 3 or len({*seen[-3:]}) > 1:
        time.sleep(SETTLED_S / 3)
        seen.append(browser.get_screenshot_as_png())
    file.write_bytes(seen[-1])


if __name__ == "__main__":
    sys.exit(main())
