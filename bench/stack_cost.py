"""What a sample costs in the kernel: ebprof's unwinding against bpf_get_stackid.

The same recursion of known depth is built without frame pointers for ebprof and with them for the
peer; both are sampled in turn, and both costs are the kernel's own account (BPF statistics).
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from statistics import median

from bench.run import BUILT, ebprof, print_bars, print_table, ratio
from ebprof.bpf import compile as bpf_compiler
from tests import targets

HERE = Path(__file__).parent
FREQUENCY = 997
DEPTHS = (7, 30, 36, 100, 105)
FRAMES_AROUND = 5  # the leaf, main, and three of the C library
FRAME_NS_BAR = 50.0
RATIO_BAR = 1.3


def main() -> None:
    """Measure all depths and print nanoseconds a sample, the slope and the ratio."""
    options = _options()
    build_peer()
    ours: dict[int, list[float]] = {depth: [] for depth in DEPTHS}
    peers: dict[int, list[float]] = {depth: [] for depth in DEPTHS}
    for _ in range(options.repeat):
        for depth in DEPTHS:
            ours[depth].append(our_nanoseconds(depth, options.seconds))
            peers[depth].append(peer_nanoseconds(depth, options.seconds))
    report({d: median(ours[d]) for d in DEPTHS}, {d: median(peers[d]) for d in DEPTHS})


def build_peer() -> None:
    """Compile stackid.bpf.c as the package compiles its own, and the loader."""
    bpf_compiler.build(HERE, BUILT)
    source, output = HERE / "stackid_loader.c", BUILT / "stackid_loader"
    subprocess.run(["cc", "-O2", str(source), "-o", str(output), "-lbpf"], check=True)


def our_nanoseconds(depth: int, seconds: float) -> float:
    """Kernel time of one sample at a depth in frames, without frame pointers."""
    with targets.running("recursion", depth - FRAMES_AROUND) as target:
        done = ebprof("-p", target.pid, "-F", FREQUENCY, "-d", seconds, "-e", "cpu-clock")
    bpf = done.stats["bpf"]
    return 1e9 * float(bpf["run_seconds"]) / int(bpf["run_count"])


def peer_nanoseconds(depth: int, seconds: float) -> float:
    """The same for bpf_get_stackid, with frame pointers."""
    with targets.running("recursion", depth - FRAMES_AROUND, variant="fp") as target:
        words = [BUILT / "stackid_loader", BUILT / "stackid.bpf.o", target.pid, FREQUENCY, seconds]
        done = subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True)
    bpf = json.loads(done.stdout)
    return 1e9 * float(bpf["run_seconds"]) / int(bpf["run_count"])


def slope(costs: dict[int, float], low: int, high: int) -> float:
    """Nanoseconds a frame between two depths."""
    return (costs[high] - costs[low]) / (high - low)


def report(ours: dict[int, float], peers: dict[int, float]) -> None:
    """Print costs, slopes, ratios and bars."""
    rows = [
        [f"{d} frames", f"{ours[d]:.0f}", f"{peers[d]:.0f}", ratio(ours[d], peers[d])]
        for d in DEPTHS
    ]
    for low, high in [(36, 105), (30, 100)]:
        our, peer = slope(ours, low, high), slope(peers, low, high)
        rows.append([f"a frame, {low} to {high}", f"{our:.1f}", f"{peer:.1f}", ratio(our, peer)])
    print_table("ns in the kernel", ["sample", "ebprof", "bpf_get_stackid", "ratio"], rows)
    worst = max(ours[d] / peers[d] for d in DEPTHS)
    print_bars(
        {
            f"at most {FRAME_NS_BAR:.0f} ns a frame": slope(ours, 30, 100) <= FRAME_NS_BAR,
            f"at most {RATIO_BAR}x bpf_get_stackid at any depth": worst <= RATIO_BAR,
        }
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement (5)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds, of which the median (3)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
