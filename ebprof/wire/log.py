"""Records of a collector's log."""

from __future__ import annotations

from typing import Any

from ebprof.wire._schema import message_class

LogRecord: Any = message_class("log.proto", "ebprof.log.v1.Record")
