"""Network namespaces as machines on one switch."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

NETWORK = "10.77.0"
NETWORK6 = "fd77::"
_numbers = count()


@dataclass(frozen=True, slots=True)
class Host:
    """A namespace with one network card, eth0, and its addresses."""

    namespace: str
    address: str
    address6: str

    @property
    def within(self) -> list[str]:
        """Words that run the command after them on this host."""
        return ["ip", "netns", "exec", self.namespace]

    def ip(self, *words: str) -> None:
        """Run `ip` here."""
        _ip("-n", self.namespace, *words)

    def set(self, name: str, value: object) -> None:
        """Set one of this host's kernel parameters."""
        _run([*self.within, "sysctl", "-q", "-w", f"{name}={value}"])

    def nft(self, *rules: str) -> str:
        """Add to the rules of this host's firewall; what it said when it did not."""
        words = [*self.within, "nft", "; ".join(rules)]
        return subprocess.run(words, capture_output=True, text=True).stderr

    def statistic(self, name: str) -> int:
        """One of this host's TCP counters, by its name in /proc/net/snmp or netstat."""
        lines = _run([*self.within, "cat", "/proc/net/snmp", "/proc/net/netstat"]).splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            if name in names.split():
                return int(values.split()[names.split().index(name)])
        raise KeyError(name)


@contextmanager
def hosts(number: int) -> Iterator[Sequence[Host]]:
    """So many machines that reach each other by IPv4 and IPv6; gone at the end."""
    prefix = f"ebprof-{os.getpid()}-{next(_numbers)}"
    switch = f"{prefix}-switch"
    names = [f"{prefix}-{i}" for i in range(number)]
    try:
        _add_switch(switch)
        yield [_add_host(name, switch, i + 1) for i, name in enumerate(names)]
    finally:
        for name in [*names, switch]:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def _add_switch(name: str) -> None:
    _ip("netns", "add", name)
    _ip("-n", name, "link", "add", "switch", "type", "bridge")
    _ip("-n", name, "link", "set", "switch", "up")


def _add_host(name: str, switch: str, number: int) -> Host:
    host = Host(name, f"{NETWORK}.{number}", f"{NETWORK6}{number:x}")
    port = f"port{number}"
    _ip("netns", "add", name)
    host.ip("link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", switch)
    _ip("-n", switch, "link", "set", port, "master", "switch", "up")
    host.ip("addr", "add", f"{host.address}/24", "dev", "eth0")
    host.ip("addr", "add", f"{host.address6}/64", "dev", "eth0", "nodad")
    host.ip("link", "set", "eth0", "up")
    host.ip("link", "set", "lo", "up")
    return host


def _ip(*words: str) -> None:
    _run(["ip", *words])


def _run(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout
