"""Exports of OpenTelemetry's profiles: each of their profiles becomes a series of push.v1.

What is wrong with one profile costs that one alone: the answer says how many were left out, and why
the first of them was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from google.protobuf.message import DecodeError

from ebprof.collector.limits import Limits
from ebprof.collector.receive.otlp_dictionary import Dictionary
from ebprof.collector.receive.otlp_profile import encode
from ebprof.collector.receive.push import Push, checked
from ebprof.collector.receive.refusals import RefusedError, TooLargeError
from ebprof.errors import BadFileError
from ebprof.walls import refusing
from ebprof.wire.otlp import LABELS, SERVICE, ExportRequest, OlderRequest
from ebprof.wire.push import PushRequest

ATTRIBUTES = {
    **{attribute: label for label, attribute in LABELS.items()},
    "service.namespace": "service_namespace",
    "service.version": "service_version",
    "deployment.environment.name": "environment",
    "k8s.cluster.name": "cluster",
    "k8s.deployment.name": "deployment",
    "k8s.statefulset.name": "statefulset",
    "k8s.daemonset.name": "daemonset",
    "k8s.cronjob.name": "cronjob",
    "k8s.job.name": "job",
    "k8s.node.name": "node",
    "container.name": "container",
}
"""Labels by the attributes of resources that become them; of two for one label the first counts."""
_OLDER = "samples are in the layout of opentelemetry-proto before 1.10"


def read_export(body: bytes, now_ns: int, limits: Limits) -> Push:
    """The push of an ExportProfilesServiceRequest; see `receive.push.Read`."""
    request = _parse(body)
    profiles = [*_profiles(request.resource_profiles)]
    samples = sum(len(one.samples) for one in profiles)
    _bound("profiles", len(profiles), limits.profiles)
    _bound("samples", samples, limits.stacks)
    message, problems = PushRequest(), []
    dictionary = Dictionary(request.dictionary, limits.depth)
    room = limits.plain_bytes
    for labels, profile in _labelled(request, dictionary):
        raw, problem = _encoded(profile, dictionary)
        room -= len(raw)
        if room < 0:
            raise TooLargeError(f"profiles have more than {limits.plain_bytes >> 20} MiB as pprof")
        if problem:
            problems.append(problem)
        else:
            _add(message, labels, raw, _id(profile, labels, raw))
    return _taken(message, problems, now_ns, limits)


def _encoded(profile: Any, dictionary: Dictionary) -> tuple[bytes, str]:
    """A profile as pprof, or why it is none; raises TooLargeError."""
    try:
        with refusing(RefusedError):
            return encode(profile, dictionary), ""
    except TooLargeError:
        raise
    except (RefusedError, BadFileError) as error:
        return b"", error.message


def _parse(body: bytes) -> Any:
    try:
        request, older = ExportRequest.FromString(body), OlderRequest.FromString(body)
    except DecodeError as error:
        raise RefusedError(f"not an ExportProfilesServiceRequest: {error}") from None
    for profile in _profiles(older.resource_profiles):
        if any(one.values_or_attribute_indices or one.link_index for one in profile.samples):
            raise RefusedError(_OLDER, "update the sender")
    return request


def _bound(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise TooLargeError(f"export has {count:,} {what}, which is more than {limit:,}")


def _profiles(resources: Iterable[Any]) -> Iterator[Any]:
    """All profiles of some ResourceProfiles."""
    for one in resources:
        for scope in one.scope_profiles:
            yield from scope.profiles


def _labelled(request: Any, dictionary: Dictionary) -> Iterator[tuple[dict[str, str], Any]]:
    for one in request.resource_profiles:
        labels = labels_of(dictionary.pairs(one.resource.attributes))
        for profile in _profiles([one]):
            yield labels, profile


def labels_of(attributes: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Labels of a resource; what ATTRIBUTES does not have is left out."""
    given = dict(attributes)
    labels: dict[str, str] = {}
    for attribute, label in ATTRIBUTES.items():
        if given.get(attribute):
            labels.setdefault(label, given[attribute])
    if SERVICE not in given and "process" in labels:
        labels["service_name"] = labels["process"]
    return labels


def _id(profile: Any, labels: dict[str, str], raw: bytes) -> str:
    """What it is known by when it is sent again; nothing is known of one without a time."""
    kind = profile.sample_type.type_strindex
    if any(profile.profile_id):
        return f"{profile.profile_id.hex()[:64]}-{kind}"
    if not profile.time_unix_nano:
        return ""
    return sha256(f"{sorted(labels.items())} ".encode("utf-8", "replace") + raw).hexdigest()


def _add(message: Any, labels: dict[str, str], raw: bytes, profile_id: str) -> None:
    series = message.series.add()
    for name, value in labels.items():
        series.labels.add(name=name, value=value)
    series.samples.add(raw_profile=raw, ID=profile_id)


def _taken(message: Any, problems: list[str], now_ns: int, limits: Limits) -> Push:
    """What of a message may be stored; raises RefusedError where nothing may."""
    pushes, message_problem = _checked(message, now_ns, limits)
    if message_problem:
        for series in message.series:
            push, problem = _checked(PushRequest(series=[series]), now_ns, limits)
            pushes += push
            problems += [problem] if problem else []
    if not pushes and problems:
        raise RefusedError(problems[0])
    whole = PushRequest(series=[series for one in pushes for series in one.message.series])
    profiles, stacks = (
        sum(getattr(one, name) for one in pushes) for name in ("profiles", "stacks")
    )
    return Push(whole, profiles, stacks, len(problems), problems[0] if problems else "")


def _checked(message: Any, now_ns: int, limits: Limits) -> tuple[list[Push], str]:
    """A push in a list, or why it is none; raises TooLargeError."""
    if not message.series:
        return [], ""
    try:
        return [checked(message, now_ns, limits)], ""
    except TooLargeError:
        raise
    except RefusedError as error:
        return [], error.message
