"""Where debug files are looked for besides this machine's usual places, as somebody said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """folders: directories, which are asked first; servers: URLs of debuginfod servers."""

    folders: tuple[Path, ...] = ()
    servers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.folders or self.servers)


NOWHERE = Elsewhere()
