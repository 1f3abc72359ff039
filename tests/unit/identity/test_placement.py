"""Containers, pods and units in cgroup paths, as runtimes and systemd make them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ebprof.identity.placement import (
    Placement,
    container_of,
    parse_placement,
    place,
    pod_of,
    unit_of,
)

ID = "0123456789abcdef" * 4
OTHER_ID = "fedcba9876543210" * 4
UID = "2b801b7a-3e4e-4c25-8b0f-4e1f2e6ad8f6"
SLICED_UID = UID.replace("-", "_")
DIGEST = "5f9b6f1a0d3c4e2b8a7d6c5e4f3a2b1c"
QOS = "/kubepods.slice/kubepods-burstable.slice"
SLICE = f"{QOS}/kubepods-burstable-pod{SLICED_UID}.slice"
USER = "/user.slice/user-1000.slice/user@1000.service"
KIND = "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice"
KIND_POD = f"{KIND}/kubelet-kubepods-besteffort-pod{SLICED_UID}.slice"
CONTAINERD = "/system.slice/containerd.service"


@dataclass(frozen=True)
class Named:
    """What a path names."""

    container: str = ""
    pod: str = ""
    unit: str = ""


def in_pod(container: str, scope: str = "", pod: str = UID) -> Named:
    """A container in a pod; scope: what the name of its systemd scope begins with."""
    return Named(container, pod, f"{scope}-{container}.scope" if scope else "")


PATHS = {
    # Docker: cgroupfs, systemd, in itself, rootless, by Kubernetes
    f"/docker/{ID}": Named(ID),
    f"/docker/{ID}/docker/{OTHER_ID}": Named(OTHER_ID),
    f"/docker/{ID}/init.scope": Named(ID, unit="init.scope"),
    f"/docker/buildkit/{ID}": Named(ID),
    f"/system.slice/docker-{ID}.scope": Named(ID, unit=f"docker-{ID}.scope"),
    f"/system.slice/docker-{ID}.scope/system.slice/ssh.service": Named(ID, unit="ssh.service"),
    f"{USER}/user.slice/docker-{ID}.scope": Named(ID, unit=f"docker-{ID}.scope"),
    f"/kubepods/besteffort/pod{UID}/{ID}": in_pod(ID),
    f"{SLICE}/docker-{ID}.scope": in_pod(ID, "docker"),
    # containerd: cgroupfs, systemd, the one's names by the other's driver, nerdctl
    f"/kubepods/burstable/pod{UID}/{ID}": in_pod(ID),
    f"/kubepods/pod{UID}/{ID}": in_pod(ID),
    f"/k8s.io/{ID}": Named(ID),
    f"{SLICE}/cri-containerd-{ID}.scope": in_pod(ID, "cri-containerd"),
    f"/kubepods.slice/kubepods-pod{SLICED_UID}.slice/cri-containerd-{ID}.scope": in_pod(
        ID, "cri-containerd"
    ),
    f"{CONTAINERD}/kubepods-burstable-pod{SLICED_UID}.slice:cri-containerd:{ID}": Named(
        ID, UID, "containerd.service"
    ),
    f"/kubepods-besteffort-pod{SLICED_UID}.slice:cri-containerd:{ID}": in_pod(ID),
    f"/default/{ID}": Named(ID),
    f"/system.slice/nerdctl-{ID}.scope": Named(ID, unit=f"nerdctl-{ID}.scope"),
    f"{USER}/user.slice/nerdctl-{ID}.scope": Named(ID, unit=f"nerdctl-{ID}.scope"),
    # CRI-O: systemd, its container's own cgroup in it, cgroupfs
    f"{SLICE}/crio-{ID}.scope": in_pod(ID, "crio"),
    f"{SLICE}/crio-{ID}.scope/container": in_pod(ID, "crio"),
    f"/kubepods/burstable/pod{UID}/crio-{ID}": in_pod(ID),
    # a pod of a file on the node, and Kubernetes in Docker (kind)
    f"/kubepods/burstable/pod{DIGEST}/{ID}": in_pod(ID, pod=DIGEST),
    f"{QOS}/kubepods-burstable-pod{DIGEST}.slice/cri-containerd-{ID}.scope": in_pod(
        ID, "cri-containerd", DIGEST
    ),
    f"/docker/{OTHER_ID}/kubelet/kubepods/besteffort/pod{UID}/{ID}": in_pod(ID),
    f"/system.slice/docker-{OTHER_ID}.scope/{KIND_POD}/cri-containerd-{ID}.scope": in_pod(
        ID, "cri-containerd"
    ),
    # Podman: systemd, rootless, cgroupfs, in a unit of systemd, in a pod of its own
    f"/machine.slice/libpod-{ID}.scope": Named(ID, unit=f"libpod-{ID}.scope"),
    f"/machine.slice/libpod-{ID}.scope/container": Named(ID, unit=f"libpod-{ID}.scope"),
    f"{USER}/user.slice/libpod-{ID}.scope/container": Named(ID, unit=f"libpod-{ID}.scope"),
    f"/libpod_parent/libpod-{ID}": Named(ID),
    f"/system.slice/web.service/libpod-payload-{ID}": Named(ID, unit="web.service"),
    f"/machine.slice/machine-libpod_pod_{OTHER_ID}.slice/libpod-{ID}.scope/container": in_pod(
        ID, "libpod", OTHER_ID
    ),
    f"{USER}/user.slice/user-libpod_pod_{OTHER_ID}.slice/libpod-{ID}.scope": in_pod(
        ID, "libpod", OTHER_ID
    ),
    f"/libpod_parent/{OTHER_ID}/libpod-{ID}": in_pod(ID, pod=OTHER_ID),
    # others
    f"/ecs/0b32/{ID}": Named(ID),
    f"/ecs/0b32/{ID[:32]}-1234567890": Named(f"{ID[:32]}-1234567890"),
    "/machine.slice/systemd-nspawn@web\\x2d1.service/payload": Named(
        "web-1", unit="systemd-nspawn@web\\x2d1.service"
    ),
    "/machine.slice/machine-web.scope": Named("web", unit="machine-web.scope"),
    "/lxc.payload.web/system.slice/ssh.service": Named("web", unit="ssh.service"),
    "/lxc/web": Named("web"),
    f"/lxc/web/system.slice/docker-{ID}.scope": Named(ID, unit=f"docker-{ID}.scope"),
    # what stands beside a container
    f"/machine.slice/libpod-conmon-{ID}.scope": Named(unit=f"libpod-conmon-{ID}.scope"),
    f"{SLICE}/crio-conmon-{ID}.scope": Named(pod=UID, unit=f"crio-conmon-{ID}.scope"),
    "/system.slice/web.service/supervisor": Named(unit="web.service"),
    "/lxc.monitor.web": Named(),
    "/system.slice/docker.service": Named(unit="docker.service"),
    "/system.slice/docker-compose@web.service": Named(unit="docker-compose@web.service"),
    SLICE: Named(pod=UID),
    f"/libpod_parent/{OTHER_ID}": Named(pod=OTHER_ID),
    # units alone, and nothing at all
    "/user.slice/user-1000.slice/session-2.scope": Named(unit="session-2.scope"),
    f"{USER}/app.slice/firefox.service/worker": Named(unit="firefox.service"),
    "/init.scope": Named(unit="init.scope"),
    "/system.slice/_cpu.service": Named(unit="cpu.service"),
    "/system.slice": Named(),
    f"/docker/{ID[:-1]}": Named(),
    f"/docker/{ID.upper()}": Named(),
    f"/kubepods/pod{UID[:-1]}": Named(),
    "/.service": Named(),
    "/": Named(),
    "": Named(),
}
HYBRID = """12:cpu,cpuacct:{path}
4:memory:{path}
1:name=systemd:{path}
0::/
"""


@pytest.mark.parametrize("path", PATHS)
def test_what_a_path_names(path: str) -> None:
    assert Named(container_of([path]), pod_of([path]), unit_of([path])) == PATHS[path]


@pytest.mark.parametrize("path", [path for path in PATHS if path])
def test_version_1_and_2_say_the_same(path: str) -> None:
    texts = [f"0::{path}\n", HYBRID.format(path=path)]
    for found in [*(parse_placement(text.encode()) for text in texts), place(path)]:
        assert Named(found.container, found.pod, found.unit) == PATHS[path]


def test_only_version_2() -> None:
    found = parse_placement(f"0::/system.slice/docker-{ID}.scope\n".encode())
    path = f"/system.slice/docker-{ID}.scope"
    assert found == Placement((path,), path, ID, unit=f"docker-{ID}.scope", is_v2_only=True)


def test_version_1_tells_where_version_2_is_only_mounted() -> None:
    text = f"12:cpu,cpuacct:/\n4:memory:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n"
    found = parse_placement(text.encode())
    assert found == Placement(("/", f"/docker/{ID}"), f"/docker/{ID}", ID)
    assert found.is_below(f"/docker/{ID}") and found.is_below("/docker") and found.is_below("/")
    assert not found.is_below("/dock")


def test_version_2_tells_where_both_do() -> None:
    found = parse_placement(b"4:memory:/a/long/path/that/is/not/it\n0::/system.slice\n")
    assert found.cgroup == "/system.slice"
    assert not found.is_v2_only


def test_removed_cgroup_and_what_is_no_line() -> None:
    assert parse_placement(b"0::/gone (deleted)\n").cgroup == "/gone"
    assert parse_placement(b"0::/a\x1b[2Jb\n").cgroup == "/a\ufffd[2Jb"
    assert parse_placement(b"what\n0:\n") == Placement()
    assert parse_placement(b"3:cpu:/\n0::/\n").cgroup == "/"


def test_a_name_does_not_begin_a_line() -> None:
    """The kernel allows all but newlines in a cgroup's name."""
    path = f"/a\r0::/docker-{ID}.scope"
    found = parse_placement(f"0::{path}\n".encode())
    assert found.paths == (path.replace("\r", "\ufffd"),)
    assert not found.is_below(f"/docker-{ID}.scope")
