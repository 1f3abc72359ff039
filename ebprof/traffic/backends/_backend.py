"""What a backend is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ebprof._native import lib
from ebprof.bpf import loaders
from ebprof.bpf.traffic import TrafficPrograms, TrafficSession
from ebprof.errors import UnsupportedError
from ebprof.procfs import process
from ebprof.traffic.listening import find_listening
from ebprof.walls import Walls


@dataclass(frozen=True, slots=True)
class Backend:
    """One way to see sends and receives.

    rank: lower is better. remedy: how to get it where it does not work. check: raises
    UnsupportedError where the kernel lacks what it hooks; it says why better than the refusal of
    the whole object does. by_bcc: whether bcc can load it.
    """

    name: str
    help: str
    remedy: str
    rank: int
    programs: TrafficPrograms
    check: Callable[[], None]
    by_bcc: bool = False

    def is_for(self, loader: str) -> bool:
        """Whether one of LOADERS can load it at all."""
        return self.by_bcc or loaders.choose(loader) != loaders.BCC

    def open(
        self,
        loader: str = loaders.AUTO,
        walls: Walls | None = None,
        *,
        pairing: int = lib.PAIRING_OFF,
    ) -> TrafficSession:
        """Load it by one of LOADERS. Raises UnsupportedError or NoPermissionError.

        walls: stand around what is read of who listens. pairing: see TrafficSession.
        """
        if not self.is_for(loader):
            raise UnsupportedError(
                f"bcc cannot load the backend {self.name}: its programs are typed by BTF",
                "use --backend kprobe, or --loader libbpf",
            )
        self.check()
        return TrafficSession(
            self.programs,
            loader=loader,
            listening=partial(find_listening, walls or Walls()),
            namespace=process.own_pid_namespace(),
            pairing=pairing,
        )
