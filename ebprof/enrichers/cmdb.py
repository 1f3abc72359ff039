"""Labels by a CMDB: files of TOML, CSV or JSON, and URLs that give JSON (docs/cmdb.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ebprof.collector.cmdb.source import METRICS, CmdbSource

__all__ = ["METRICS", "open_source"]


def open_source(settings: Mapping[str, Any], directory: Path) -> CmdbSource | None:
    """settings: `places`, files and URLs in the order of precedence; `interval_s` between looks at
    a URL. None without places; raises BadFileError for a file that cannot be read.
    """
    places = settings.get("places", ())
    return CmdbSource(places, directory, settings["interval_s"]) if places else None
