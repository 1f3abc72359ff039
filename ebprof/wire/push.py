"""Pyroscope's push.v1: series of pprof profiles."""

from __future__ import annotations

from typing import Any

from ebprof.wire._schema import message_class

PATH = "/push.v1.PusherService/Push"
MEDIA_TYPE = "application/proto"
"""Also of our own messages."""
PushRequest: Any = message_class("push.proto", "push.v1.PushRequest")
PushResponse: Any = message_class("push.proto", "push.v1.PushResponse")
