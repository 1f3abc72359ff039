"""Names of containers, in files as their runtimes write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ebprof.identity import names as names_module
from ebprof.identity.names import ContainerNames

ID, OTHER = "3f4e" * 16, "a" * 64
DOCKER = f"var/lib/docker/containers/{ID}/config.v2.json"
STORAGE = "var/lib/containers/storage/overlay-containers/containers.json"
OF_A_USER = "home/joe/.local/share/containers/storage/vfs-containers/containers.json"
TASK = f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"


def put(root: Path, path: str, document: object) -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    text = document if isinstance(document, str) else json.dumps(document)
    place.write_text(text)
    return place


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (DOCKER, {"ID": ID, "Name": "/web"}),
        (STORAGE, [{"id": OTHER, "names": ["db"]}, {"id": ID, "names": ["web", "other"]}]),
        (OF_A_USER, [{"id": ID, "names": ["web"]}]),
        (TASK, {"annotations": {"nerdctl/name": "web", "nerdctl/namespace": "default"}}),
        (TASK, {"annotations": {"io.kubernetes.cri.container-name": "web"}}),
    ],
)
def test_each_runtime_has_names(tmp_path: Path, path: str, document: object) -> None:
    put(tmp_path, path, document)
    made = ContainerNames(str(tmp_path))
    assert made.of(ID) == "web"
    assert made.of("b" * 64) == ""


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "[" * 100_000,
        "9" * 10_000,
        "\xff",
        [],
        {},
        None,
        {"Name": 7},
        {"Name": ""},
        {"Name": {}},
        [{"id": ID}],
        [{"id": ID, "names": []}],
        [7],
        {"annotations": []},
    ],
    ids=repr,
)
@pytest.mark.parametrize("path", [DOCKER, STORAGE, TASK])
def test_what_cannot_be_read_is_no_name(tmp_path: Path, path: str, document: object) -> None:
    put(tmp_path, path, document)
    assert ContainerNames(str(tmp_path)).of(ID) == ""


def test_names_are_printable_and_short(tmp_path: Path) -> None:
    put(tmp_path, DOCKER, {"Name": "/\x1b[2J" + "x" * 9000})
    name = ContainerNames(str(tmp_path)).of(ID)
    assert name.isprintable() and len(name) == names_module.MAX_NAME


def test_no_link_is_followed(tmp_path: Path) -> None:
    secret = put(tmp_path, "root/secret.json", [{"id": ID, "names": ["secret"]}])
    link = tmp_path / OF_A_USER
    link.parent.mkdir(parents=True)
    link.symlink_to(secret)
    assert ContainerNames(str(tmp_path)).of(ID) == ""


def test_a_large_file_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, STORAGE, [{"id": ID, "names": ["web"]}])
    monkeypatch.setattr(names_module, "MAX_FILE", 10)
    assert ContainerNames(str(tmp_path)).of(ID) == ""


def test_what_is_no_id_reads_nothing(tmp_path: Path) -> None:
    put(tmp_path, "var/lib/docker/containers/../config.v2.json", {"Name": "/x"})
    for name in ("", "..", "*", "../" * 5, "web"):
        assert ContainerNames(str(tmp_path)).of(name) == ""


def test_a_name_that_comes_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, now = ContainerNames(str(tmp_path)), 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    assert made.of(ID) == ""
    place = put(tmp_path, DOCKER, {"Name": "/web"})
    assert made.of(ID) == ""
    now = 111.0
    assert made.of(ID) == "web"
    place.unlink()
    now = 200.0
    assert made.of(ID) == "web"


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_module, "MAX_NAMES", 3)
    made = ContainerNames(str(tmp_path))
    for number in range(9):
        made.of(f"{number:064x}")
    assert len(made._known) == 3
