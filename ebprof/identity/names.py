"""What people call containers: the names that runtimes keep in files beside them.

No daemon is asked. Files of users' own (rootless) containers are theirs to write: no link is
followed, and little is believed.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ebprof.errors import BadFileError
from ebprof.procfs.rooted import open_rooted
from ebprof.procfs.text import printable

MAX_FILE = 8 << 20
"""Bytes of a file that is read; larger ones are passed over."""
MAX_NAMES = 4096
MAX_NAME = 128
"""Characters of a name."""
_ASK_AGAIN_S = 10.0
_DOCKER = "var/lib/docker/containers/{}/config.v2.json"
_CONTAINERD = "run/containerd/io.containerd.runtime.v2.task/*/{}/config.json"
# Podman and CRI-O, as root and as a user.
_STORAGE = (
    "var/lib/containers/storage/*-containers/containers.json",
    "home/*/.local/share/containers/storage/*-containers/containers.json",
)
_ID = re.compile("[0-9a-f-]{12,64}")
_ANNOTATIONS = ("nerdctl/name", "io.kubernetes.cri.container-name")


class ContainerNames:
    """Names of containers by ID, read when asked for and kept; root: where the host's files are."""

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._known: dict[str, tuple[str, float]] = {}

    def of(self, container: str) -> str:
        """The name, printable; empty for one without any, or that no file tells of."""
        name, asked = self._known.get(container, ("", -_ASK_AGAIN_S))
        if name or time.monotonic() - asked < _ASK_AGAIN_S:
            return name
        if len(self._known) >= MAX_NAMES:
            del self._known[next(iter(self._known))]
        name = self._find(container)
        self._known[container] = name, time.monotonic()
        return name

    def _find(self, container: str) -> str:
        if not _ID.fullmatch(container):
            return ""
        readers: tuple[tuple[tuple[str, ...], Callable[[Any, str], object]], ...] = (
            ((_DOCKER.format(container),), _of_docker),
            (_STORAGE, _of_storage),
            ((_CONTAINERD.format(container),), _of_containerd),
        )
        for patterns, read in readers:
            for document in self._documents(patterns):
                with suppress(AttributeError, KeyError, IndexError, TypeError):
                    name = read(document, container)
                    if isinstance(name, str) and name:
                        return printable(name)[:MAX_NAME]
        return ""

    def _documents(self, patterns: tuple[str, ...]) -> Iterator[Any]:
        for pattern in patterns:
            for path in Path(self._root).glob(pattern):
                with suppress(OSError, ValueError, RecursionError, BadFileError):
                    yield json.loads(self._read(path))

    def _read(self, path: Path) -> bytes:
        inner = os.fsencode(path.relative_to(self._root))
        with open_rooted(self._root, inner, follow=False) as file:
            data = file.read(MAX_FILE + 1) or b""
        if len(data) > MAX_FILE:
            raise ValueError(f"{path} is too large")
        return data


def _of_docker(document: Any, _: str) -> object:
    return document["Name"].removeprefix("/")


def _of_storage(document: Any, container: str) -> object:
    return next((one["names"][0] for one in document if one["id"] == container), "")


def _of_containerd(document: Any, _: str) -> object:
    annotations = document["annotations"]
    return next((annotations[key] for key in _ANNOTATIONS if key in annotations), "")
