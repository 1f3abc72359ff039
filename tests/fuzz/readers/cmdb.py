"""Files of a CMDB, and answers of URLs: what is read can be asked, and set what may be set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ebprof.collector.cmdb.catalogue import Cmdb
from ebprof.collector.cmdb.formats import parse
from ebprof.collector.labels import problem_of
from ebprof.enrichers import Subject
from ebprof.errors import BadFileError

_SUFFIXES = (".csv", ".toml", ".json")
_SUBJECT = Subject("a", "b", "", "c.service", "10.0.0.1", 80, (("job", "x"),))


def read(data: bytes) -> None:
    """The first byte says what the rest is."""
    suffix = _SUFFIXES[data[0] % len(_SUFFIXES)] if data else ".csv"
    with suppress(BadFileError):
        entries = parse(data[1:], suffix, "x")
        found = Cmdb(entries)
        for entry in entries:
            assert not any(problem_of(name) for name, _ in entry.sets)
        for name, value in found.labels(_SUBJECT).items():
            assert name and value.isprintable()


def seeds() -> Iterator[bytes]:
    """One of each form."""
    yield b"\0node,address,port,unit,container,label:job,team\na,10.0.0.0/8,80,c*,b,x,search\n"
    yield b'\1[[entry]]\naddress = "fd00::/8"\nport = 80\nset = { team = "a" }\n'
    yield b'\2[{"node": "a", "label": {"job": "[x]*"}, "set": {"service_name": "b"}}]'
