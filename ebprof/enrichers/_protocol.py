"""What an enricher has to offer, ours and third parties'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ebprof.metrics import Metric, Value


@dataclass(frozen=True, slots=True)
class Subject:
    """A process, or one end of a connection, as it was pushed.

    Texts are empty and the port is 0 where nothing is known. container: its ID or name; pod: its
    UID; unit: of systemd. address: of this end, which series of profiles do not have; port: the one
    that it listens on. labels: all that it has, `service_name` and `process` among them.
    """

    node: str = ""
    container: str = ""
    pod: str = ""
    unit: str = ""
    address: str = ""
    port: int = 0
    labels: tuple[tuple[str, str], ...] = ()


class Catalogue(Protocol):
    """What is known at some time, as a value: it is pickled, and asked in the store's process."""

    def labels(self, subject: Subject) -> Mapping[str, str]:
        """Labels of a subject, empty for none; `service_name` is what it should be called.

        The answer is remembered until there is another catalogue. It has to come at once: a segment
        of the log waits for it.
        """


class Source(Protocol):
    """Where catalogues come from, in the collector's process."""

    def poll(self) -> Catalogue | None:
        """What is known now, the first time and where it has changed; otherwise None.

        It is asked every second, in a thread of its own. Raises EbprofError where that is
        not known: the last catalogue stays.
        """

    def problems(self) -> Sequence[str]:
        """What is wrong, a sentence each, for `ebprof collector --check`."""

    def metrics(self) -> Mapping[str, Value]:
        """Values of METRICS."""


@runtime_checkable
class Enricher(Protocol):
    """An enricher: a module, or what an entry point names.

    METRICS: what its sources count; names are put behind `ebprof_collector_`.
    """

    METRICS: Sequence[Metric]

    def open_source(self, settings: Mapping[str, Any], directory: Path) -> Source | None:
        """A source; None where the settings ask for none. Raises EbprofError for bad settings.

        settings: the table `[enricher.NAME]` of the file of options. directory: where it may keep
        files, which need not be there yet.
        """
