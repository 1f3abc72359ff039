"""The places of a CMDB together: one catalogue, made anew when one of them changes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ebprof.collector.cmdb.catalogue import Cmdb
from ebprof.collector.cmdb.entries import Entry
from ebprof.collector.cmdb.places import FilePlace, Place, UrlPlace
from ebprof.metrics import Metric, Value
from ebprof.remote import is_url

METRICS = (
    Metric("cmdb_entries", "Entries of a CMDB that are in use.", "place"),
    Metric("cmdb_age_seconds", "Time since a CMDB was last known to be as it is used.", "place"),
    Metric("cmdb_errors_total", "Failed looks at a CMDB: what was read before stays.", "place"),
)


class CmdbSource:
    """Files and URLs, in order of precedence. For one thread, but for problems and metrics.

    directory: of what is kept of URLs. interval_s: between requests. Raises BadFileError when it is
    made where a file cannot be read, UsageError for what is no URL.
    """

    def __init__(self, places: Sequence[str], directory: Path, interval_s: float) -> None:
        self._places: list[Place] = [
            UrlPlace(text, directory, interval_s) if is_url(text) else FilePlace(Path(text))
            for text in dict.fromkeys(places)
        ]
        self._used: list[tuple[Entry, ...]] = []
        seen: Counter[str] = Counter()
        for place in self._places:
            seen[place.name] += 1
            if seen[place.name] > 1:  # of a URL its query is not shown
                place.name = f"{place.name}#{seen[place.name]}"
        for place in self._places:
            if isinstance(place, FilePlace):
                place.look()

    def poll(self) -> Cmdb | None:
        """See `Source.poll`; what cannot be read stays as it was, and is said."""
        for place in self._places:
            place.poll()
        entries = [place.entries for place in self._places]
        if entries == self._used:
            return None
        self._used = entries
        return Cmdb([entry for found in entries for entry in found])

    def problems(self) -> list[str]:
        """See `Source.problems`."""
        return [place.problem for place in self._places if place.problem]

    def metrics(self) -> Mapping[str, Value]:
        """See `Source.metrics`; a place that was never read has no age."""
        now = time.time()
        return {
            "cmdb_entries": {place.name: len(place.entries) for place in self._places},
            "cmdb_age_seconds": {
                place.name: round(now - place.seen, 1) for place in self._places if place.seen
            },
            "cmdb_errors_total": {place.name: place.errors for place in self._places},
        }
