"""`python -m tests.live.old_kernel ...`: ebprof as kernels run it that lack bpf_loop."""

from __future__ import annotations

from ebprof import cli
from ebprof.bpf import cpu

if __name__ == "__main__":
    cpu._has_all_helpers = lambda: False
    cli.main()
