"""What would help functions of a file to names, by what there is of it."""

from __future__ import annotations

from ebprof.collector.symbols.service import Holding
from ebprof.model import Mapping
from ebprof.symbolize.ids import is_hash
from ebprof.symbolize.quality import Quality

_PUSH = "ebprof symbols push"


def what_helps(path: str, build_id: str, held: Holding) -> str:
    """A sentence for people. path: of the file; build_id: empty for what is in no object file."""
    if not build_id:
        return _without_build_id(path)
    if not held.object:
        what = f"the file itself: {_PUSH} {path}"
        return f"{what}; its debug file is here" if held.debug else what
    if max(held.object, held.debug) == Quality.DWARF:
        return "nothing: its debug information does not know this code"
    if is_hash(build_id):
        return f"a build with a build ID (-Wl,--build-id), and {_PUSH} of its debug file"
    what = f"its debug file, or the file before strip: {_PUSH} FILE"
    return f"{what} (no debuginfod server has it)" if held.is_nowhere else what


def _without_build_id(path: str) -> str:
    module = Mapping(path)
    if module.is_kernel:
        return "CAP_SYSLOG for the agent, or kernel.kptr_restrict=0"
    if path.startswith("/") and not path.startswith(("//", "/memfd:", "/dev/")):
        return "a build ID in what is pushed: its sender gave none"
    return "a perf map: docs/symbols.md says how a runtime writes one"
