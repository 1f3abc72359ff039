"""OpenTelemetry's protocol for profiles: requests, answers, and what older requests look like.

Source: github.com/open-telemetry/opentelemetry-proto, profiles/v1development and
collector/profiles/v1development in opentelemetry/proto.
"""

from __future__ import annotations

from typing import Any

from ebprof.wire._schema import message_class

PATH = "/v1development/profiles"
MEDIA_TYPE = "application/x-protobuf"

_PACKAGE = "opentelemetry.proto.collector.profiles.v1development"
ExportRequest: Any = message_class("otlp.proto", f"{_PACKAGE}.ExportProfilesServiceRequest")
ExportResponse: Any = message_class("otlp.proto", f"{_PACKAGE}.ExportProfilesServiceResponse")
OlderRequest: Any = message_class("otlp_older.proto", "ebprof.otlp_older.v1.Request")
Status: Any = message_class("rpc.proto", "google.rpc.Status")

BUILD_ID_GNU, BUILD_ID_HASH = (
    "process.executable.build_id.gnu",
    "process.executable.build_id.htlhash",
)
"""Attributes of mappings (opentelemetry.io/docs/specs/semconv/registry/attributes/process)."""
STOP = "ebprof.stop"
"""The attribute of samples that says why a stack ends."""
PID, EXECUTABLE, THREAD = "process.pid", "process.executable.name", "thread.name"
HASH_PREFIX = "htl-"
"""Of build IDs that are the hash of a file's head, tail and length."""
SERVICE = "service.name"
LABELS = {
    "service_name": SERVICE,
    "node": "host.name",
    "container_id": "container.id",
    "container": "k8s.container.name",
    "pod": "k8s.pod.name",
    "pod_uid": "k8s.pod.uid",
    "namespace": "k8s.namespace.name",
    "process": EXECUTABLE,
    "cgroup": "process.linux.cgroup",
    "version": "ebprof.version",
    "run": "ebprof.run",
}
"""Attributes of resources by the labels that say the same; the last two are of our agents."""
