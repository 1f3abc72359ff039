"""Who can load the BPF programs: libbpf, or bcc."""

from __future__ import annotations

from ebprof.bpf import bcc, loaders, probe
from ebprof.features._bpf import loading
from ebprof.features._feature import Finding, Probe, ok


def _loader() -> Finding:
    if loaders.choose(loaders.AUTO) == loaders.LIBBPF:
        return ok("libbpf: the kernel has BTF")
    return ok(f"{bcc.check()}: {loaders.why_no_btf()}")


def _bcc() -> Finding:
    detail = bcc.check()
    return loading(_load_by_bcc, f"{detail}: its programs load")()


def _load_by_bcc() -> None:
    with bcc.BccObject("probe") as made:
        for program in probe.PROGRAMS[1:]:
            made.skip_program(program)
        made.load()


PROBES = (
    Probe(
        "loader",
        _loader,
        lost="CPU profiles and traffic: nothing loads the programs",
        remedy="a kernel with CONFIG_DEBUG_INFO_BTF=y, or the feature bcc",
        required=True,
    ),
    Probe(
        "bcc",
        _bcc,
        lost="--loader bcc: CPU profiles, and traffic by kprobes, of kernels without BTF",
        remedy="python3-bpfcc, and the kernel's headers (Debian: linux-headers-$(uname -r))",
    ),
)
