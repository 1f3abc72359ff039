"""Pyroscope's `/ingest`: one profile a request, what it is of behind the question mark.

What a request says becomes a series of push.v1, which is checked and kept as all pushes are.
Source: grafana.com/docs/pyroscope/latest/reference-server-api, and what clients send.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ebprof.collector.limits import Limits
from ebprof.collector.profiles import batch
from ebprof.collector.receive import ingest_stacks
from ebprof.collector.receive.forms import is_form, parts_of
from ebprof.collector.receive.ingest_stacks import GROUPS, LINES, Found
from ebprof.collector.receive.push import Push, checked, unpacked
from ebprof.collector.receive.refusals import MediaError, RefusedError
from ebprof.collector.receive.unpack import GZIP_MAGIC
from ebprof.output._profile_proto import ProfileMessage
from ebprof.wire.push import PushRequest

PPROF = "pprof"
FORMATS = (PPROF, GROUPS, "folded", LINES)
PROFILE, PREVIOUS, SAMPLE_TYPES = "profile", "prev_profile", "sample_type_config"
PARTS = (PROFILE, PREVIOUS, SAMPLE_TYPES)
"""Parts of a form."""
SAMPLE_RATE = 100
"""What is meant where `sampleRate` is not said."""
SERVICE = "service_name"
_MOST_SAMPLE_RATE = 1_000_000_000
_NAME = re.compile(r"([^{}]+)(?:\{(.*)\})?", re.DOTALL)
_BY_TYPE = {"binary/octet-stream+trie": "trie", "binary/octet-stream+tree": "tree"}
_TIME = re.compile(r"([0-9]{1,19})(?:\.[0-9]{0,9})?")
_FIRST_YEAR_NS = 365 * 24 * 3600 * 10**9
"""Older clients send microseconds, or nothing: such a time is of 1970, and no time."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """What stands behind the question mark of a request, and how its body is to be read.

    application: without labels. start_ns: since the epoch, 0 where it is not said. format: one of
    FORMATS, empty where the body has to say. content_type: the header.
    """

    application: str
    labels: tuple[tuple[str, str], ...]
    start_ns: int = 0
    sample_rate: int = SAMPLE_RATE
    spy: str = ""
    units: str = "samples"
    format: str = ""
    content_type: str = ""

    def read(self, body: bytes, now_ns: int, limits: Limits) -> Push:
        """The push that a profile is; see `receive.push.Read`."""
        types = b""
        form = self.format
        if is_form(self.content_type):
            body, types = _profile_of(parts_of(body, self.content_type, PARTS))
            form = form or PPROF
        form = form or _form_of(body)
        if form == PPROF:
            found, time_ns = self._pprof(body, _shown_as(types), now_ns, limits)
        else:
            found, time_ns = ingest_stacks.read(body, form, self, limits), self.start_ns
        message = PushRequest()
        series = message.series.add()
        for label, value in self._labels(found).items():
            series.labels.add(name=label, value=value)
        series.samples.add(raw_profile=found.pprof, ID=self._id(body) if time_ns else "")
        return checked(message, now_ns, limits)

    def _pprof(
        self, body: bytes, shown: Mapping[str, str], now_ns: int, limits: Limits
    ) -> tuple[Found, int]:
        """The profile as it was sent, and the time that was said, 0 where none was."""
        profile = batch.read([unpacked(body, limits.plain_bytes)], limits.depth)
        types = [name for name, _ in profile.type_names]
        time_ns = int(profile.pieces["header"]["time_nanos"][0])
        if time_ns < _FIRST_YEAR_NS:
            time_ns = self.start_ns
            body += _packed_like(body, _header(time_ns or now_ns))
        return Found(_lock_of(types, shown), self.application, body), time_ns

    def _labels(self, found: Found) -> dict[str, str]:
        """As Pyroscope has them: a label `service_name` is the service, whatever its name."""
        labels = {"__name__": found.name} if found.name else {}
        labels |= {"pyroscope_spy": self.spy} if self.spy else {}
        labels |= {one: value for one, value in self.labels if not one.startswith("__")}
        name = "app_name" if SERVICE in labels else SERVICE
        return {name: found.service} | labels

    def _id(self, body: bytes) -> str:
        """The same request, sent again, has the same one."""
        said = (self.application, *self.labels, self.start_ns, self.spy, self.units, self.format)
        return sha256(f"{said} {self.sample_rate} ".encode("utf-8", "replace") + body).hexdigest()


def read_query(given: Mapping[str, str], content_type: str = "") -> Ingest:
    """What stands behind the question mark; raises RefusedError, also for formats not taken."""
    application, labels = parse_name(given.get("name", ""))
    form = given.get("format", "") or _BY_TYPE.get(content_type, "")
    if form and form not in FORMATS:
        raise MediaError(f"cannot read format {form[:32]!r}", f"send {', '.join(FORMATS)}")
    _time(given, "until")
    return Ingest(
        application,
        labels,
        _time(given, "from"),
        _sample_rate(given.get("sampleRate", "")),
        given.get("spyName", ""),
        given.get("units", "samples"),
        GROUPS if form == "folded" else form,
        content_type,
    )


def parse_name(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """`app{region=eu,pod=a}` as the application and its labels; raises RefusedError."""
    match = _NAME.fullmatch(text.strip())
    if match is None:
        raise RefusedError(f"cannot read name {text[:64]!r}", "write it like app{region=eu}")
    pairs = [one.partition("=") for one in (match[2] or "").split(",") if one.strip()]
    if bad := next((one for one, equals, _ in pairs if not equals), None):
        raise RefusedError(f"label {bad[:64]!r} of the name has no value")
    return match[1].strip(), tuple((name.strip(), value.strip()) for name, _, value in pairs)


def _time(given: Mapping[str, str], name: str) -> int:
    """Nanoseconds since the epoch; sent in seconds, or as so many digits as smaller units have."""
    text = given.get(name, "")
    if not text:
        return 0
    match = _TIME.fullmatch(text)
    if match is None:
        raise RefusedError(f"cannot read {name} {text[:40]!r}", "send seconds since the epoch")
    digits = len(match[1])
    return int(match[1]) * next(factor for factor, most in _UNITS if digits <= most)


_UNITS = ((10**9, 11), (10**6, 14), (10**3, 17), (1, 19))
"""How many nanoseconds a unit has, and how many digits numbers of it have at most."""


def _sample_rate(text: str) -> int:
    if not text:
        return SAMPLE_RATE
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= _MOST_SAMPLE_RATE):
        raise RefusedError(f"cannot read sampleRate {text[:40]!r}", "send samples a second")
    return int(text)


def _profile_of(parts: Mapping[str, bytes]) -> tuple[bytes, bytes]:
    """The profile of a form and the configuration of its sample types; raises RefusedError."""
    if PREVIOUS in parts:
        hint = "update the client: Pyroscope does not take it either"
        raise RefusedError(f"cannot read {PREVIOUS}, the start of a cumulative profile", hint)
    if PROFILE not in parts:
        raise RefusedError(f"the form has no part {PROFILE}")
    return parts[PROFILE], parts.get(SAMPLE_TYPES, b"")


def _form_of(body: bytes) -> str:
    """What a body is of which nothing is said: a pprof profile has an empty string in it."""
    return PPROF if body.startswith(GZIP_MAGIC) or b"\0" in body or not body else GROUPS


def _header(time_ns: int) -> bytes:
    """The field of a profile that says when it was taken."""
    return bytes(ProfileMessage(time_nanos=time_ns).SerializeToString())


def _packed_like(body: bytes, more: bytes) -> bytes:
    """More of a message, as it may stand behind the body: of a field, the last one counts."""
    return gzip.compress(more, mtime=0) if body.startswith(GZIP_MAGIC) else more


def _shown_as(config: bytes) -> dict[str, str]:
    """Names that `sample_type_config` has for sample types; raises RefusedError."""
    try:
        found: Any = json.loads(config or b"{}")
        return {name: str(one.get("display-name") or name) for name, one in found.items()}
    except (ValueError, AttributeError, RecursionError):
        raise RefusedError(f"cannot read {SAMPLE_TYPES}", "it is an object of objects") from None


def _lock_of(types: list[str], shown: Mapping[str, str]) -> str:
    """What tells Go's profiles of its locks apart, which have the same sample types: `mutex` or
    `block`, a mutex unless the configuration says more; empty for others.
    """
    names = [shown.get(one, one) for one in types if one in _OF_LOCKS]
    return ("block" if any("block" in name for name in names) else "mutex") if names else ""


_OF_LOCKS = ("contentions", "delay")
