"""Why an agent cannot push to a collector: each step of a push, tried in its order."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult

from ebprof import __version__
from ebprof.agent.sender import TIMEOUT_S, Answer, Sender, parse_url
from ebprof.errors import reason_of
from ebprof.features._feature import MISSING, Feature, Finding, Probe, limited, missing, ok, unknown
from ebprof.secret import read_token
from ebprof.tls import TlsFiles, client_context

_PORTS = {"http": 80, "https": 443}
_SKEW_S, _MOST_AHEAD_S = 30.0, 600.0
_NOTHING = gzip.compress(b"")


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the report: what is lost without it, and how to get it."""

    name: str
    lost: str
    remedy: str


STEPS = (
    Step("collector_name", "all pushes", "correct the URL, or what resolves names"),
    Step("collector_connection", "all pushes", "start the collector, correct the port"),
    Step(
        "collector_tls",
        "all pushes",
        "--tls-ca with who issued the collector's certificate, which has to be for the URL's name; "
        "--tls-cert and --tls-key where it asks for one",
    ),
    Step("collector_answer", "all pushes", "correct the URL: it leads to something else"),
    Step("collector_clock", "windows that seem to be from the future", "have NTP set both clocks"),
    Step("collector_version", "what one of the two does not know", "update the older one"),
    Step("collector_token", "all pushes", "--token-file with a token that may push"),
)


def check_collector(url: str, token_file: Path | None, tls: TlsFiles) -> list[Feature]:
    """A row for each of STEPS, those after one that fails unknown; raises UsageError.

    token_file, tls: as the agent has them.
    """
    trial = _Trial(parse_url(url), token_file, tls)
    looks = (
        trial.name,
        trial.connection,
        trial.tls,
        trial.answer,
        trial.clock,
        trial.version,
        trial.token,
    )
    found: list[Feature] = []
    failed = ""
    for step, look in zip(STEPS, looks, strict=True):
        row = _probe(step, look if not failed else _untried(failed)).run()
        failed = failed or (step.name if row.state == MISSING else "")
        found.append(row)
    return found


def _probe(step: Step, look: Callable[[], Finding]) -> Probe:
    return Probe(step.name, look, step.lost, step.remedy, required=True)


def _untried(failed: str) -> Callable[[], Finding]:
    return lambda: unknown(f"not tried without {failed}")


class _Trial:
    """Tries one step after the other; each raises EbprofError or OSError where it fails."""

    def __init__(self, url: SplitResult, token_file: Path | None, tls: TlsFiles) -> None:
        self._url = url
        self._token_file = token_file
        self._tls = tls
        self._sender = Sender(tls)
        self._host, self._port = url.hostname or "", url.port or _PORTS.get(url.scheme, 0)

    def name(self) -> Finding:
        if self._is_unix:
            return ok(self._url.path) if Path(self._url.path).is_socket() else missing("no socket")
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            return missing(f"cannot find {self._host}: {reason_of(error)}")
        return ok(", ".join(dict.fromkeys(str(one[4][0]) for one in found)))

    def connection(self) -> Finding:
        if self._is_unix:
            return ok("a socket of this machine")
        try:
            with socket.create_connection((self._host, self._port), TIMEOUT_S) as connection:
                return ok(f"to {connection.getpeername()[0]} port {self._port}")
        except OSError as error:
            return missing(f"cannot connect to {self._host} port {self._port}: {reason_of(error)}")

    def tls(self) -> Finding:
        if self._url.scheme != "https":
            return ok(
                "not used: what is pushed can be read on its way" if self._host else "not used"
            )
        context = client_context(self._tls)
        try:
            with (
                socket.create_connection((self._host, self._port), TIMEOUT_S) as connection,
                context.wrap_socket(connection, server_hostname=self._host) as secure,
            ):
                shown: Any = secure.getpeercert() or {}
                return ok(f"{secure.version()}, certificate until {shown.get('notAfter', 'ever')}")
        except ssl.SSLCertVerificationError as error:
            return missing(f"its certificate is not trusted: {error.verify_message.lower()}")
        except ssl.SSLError as error:
            hint = ": does it speak plain HTTP?" if error.reason == "WRONG_VERSION_NUMBER" else ""
            return missing(f"no handshake: {(error.reason or str(error)).lower()}{hint}")

    def answer(self) -> Finding:
        try:
            status, problems = self._ready.status, self._said.get("problems")
        except (OSError, http.client.HTTPException) as error:
            return missing(f"{reason_of(error)}: does it ask for https, or for a certificate?")
        if status == 200:
            return ok("it is ready")
        if isinstance(problems, list):
            return limited(f"it is not ready: {'; '.join(map(str, problems))}")
        return limited(f"/-/ready answers {status}: no collector of ebprof's?")

    def clock(self) -> Finding:
        try:
            theirs = parsedate_to_datetime(self._ready.date).timestamp()
        except (TypeError, ValueError):
            return unknown("it does not say what time it is")
        ahead = time.time() - theirs
        text = f"this machine is {abs(ahead):,.0f} s {'ahead' if ahead > 0 else 'behind'}"
        if ahead > _MOST_AHEAD_S:
            return missing(f"{text}: what it pushes is refused")
        return limited(text) if abs(ahead) > _SKEW_S else ok("the same time as here")

    def version(self) -> Finding:
        theirs = self._said.get("version")
        if not isinstance(theirs, str):
            return unknown("it does not say")
        text = f"{theirs[:64]} there, {__version__} here"
        return ok(theirs) if theirs == __version__ else limited(text)

    def token(self) -> Finding:
        """A push of nothing is acknowledged where one of something would be."""
        token = "" if self._is_unix else read_token(self._token_file)
        try:
            answer = self._sender(self._url, _NOTHING, token)
        except http.client.HTTPException as error:
            return missing(f"no answer: {error!r}")
        if 200 <= answer.status < 300:
            return ok("a push of nothing was taken" + ("" if token else ", without a token"))
        if answer.status == 401:
            return missing("it does not know this token" if token else "it asks for a token")
        if answer.status == 403:
            return missing("the token may not push")
        if answer.status in (429, 503):
            return limited(f"it takes no pushes now ({answer.status}): they wait in the spool")
        return missing(f"a push is answered with {answer.status}")

    @property
    def _is_unix(self) -> bool:
        return self._url.scheme == "unix"

    @cached_property
    def _ready(self) -> Answer:
        return self._sender.get(self._url, "/-/ready")

    @cached_property
    def _said(self) -> dict[str, Any]:
        try:
            found = json.loads(self._ready.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
