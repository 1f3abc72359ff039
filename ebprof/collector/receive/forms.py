"""Bodies of forms (multipart/form-data, RFC 7578) as their parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from ebprof.collector.receive.refusals import RefusedError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FORM = "multipart/form-data"
_DISPOSITION = b"content-disposition"


def is_form(content_type: str) -> bool:
    """Whether the header is that of a form."""
    return content_type.partition(";")[0].strip().lower() == FORM


def parts_of(body: bytes, content_type: str, known: Iterable[str]) -> dict[str, bytes]:
    """Parts by name; raises RefusedError for a name that is not known, or there twice."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary:
        raise RefusedError("the form has no boundary", f"send Content-Type: {FORM}; boundary=…")
    form = _Form(frozenset(known))
    parser = MultipartParser(boundary, form.callbacks())
    try:
        parser.write(body)
        parser.finalize()
    except MultipartParseError as error:
        raise RefusedError(f"cannot read the form: {error}") from None
    return {name: bytes(data) for name, data in form.parts.items()}


class _Form:
    """What the parser has found."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self._field, self._value = bytearray(), bytearray()
        self._name = ""
        self.parts: dict[str, bytearray] = {}

    def callbacks(self) -> MultipartCallbacks:
        """Those of the parser."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_field,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._add_data,
        }

    def _begin(self) -> None:
        self._name = ""

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if bytes(self._field).lower() == _DISPOSITION:
            options = parse_options_header(bytes(self._value))[1]
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._field.clear()
        self._value.clear()

    def _open(self) -> None:
        name = self._name
        if name not in self._known:
            names = ", ".join(sorted(self._known))
            raise RefusedError(f"the form has the part {name[:32]!r}", f"send {names}")
        if name in self.parts:
            raise RefusedError(f"the form has the part {name} twice")
        self.parts[name] = bytearray()

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[self._name] += data[start:end]
