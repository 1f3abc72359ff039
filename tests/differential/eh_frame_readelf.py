"""Compares our unwind rows with `readelf --debug-dump=frames-interp`, pc by pc.

    python -m tests.differential.eh_frame_readelf FILE...

Every row of readelf's is looked up in ours at its first and last address, every row of ours must
start where one of readelf's does or where an FDE ends, and there must be no row between FDEs: both
then say the same of every address. What readelf does not tell is not compared: the operations of
an expression (`exp`), and whether `u` means undefined or not mentioned. Exits with 1 when an
address differs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.elf import ElfImage
from ebprof.errors import BadFileError
from ebprof.unwind.compile import FrameSection, UnwindRows, compile_rows, frame_sections

REGISTERS = (
    *("rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"),
    *("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"),
)
REGISTER_IN_TWO_WORDS = re.compile(r"r\d+ \((\w+)\)")
NOT_MENTIONED = "u"
EXPRESSION = "exp"


@dataclass(frozen=True, slots=True)
class Rule:
    """A row in readelf's words: `rsp+8`, `c-16`, `s`, `u`, `exp`."""

    cfa: str
    fp: str
    ra: str
    is_signal: bool = False


@dataclass(slots=True)
class Oracle:
    """What readelf says of a file: rows [starts, ends) with an index into `rules`, and FDEs."""

    starts: array[int] = field(default_factory=lambda: array("Q"))
    ends: array[int] = field(default_factory=lambda: array("Q"))
    ids: array[int] = field(default_factory=lambda: array("L"))
    fdes: list[tuple[int, int]] = field(default_factory=list)
    rules: dict[Rule, int] = field(default_factory=dict)

    def add(self, start: int, end: int, rule: Rule) -> None:
        """A row; an empty one is dropped."""
        if start < end:
            self.starts.append(start)
            self.ends.append(end)
            self.ids.append(self.rules.setdefault(rule, len(self.rules)))


@dataclass(slots=True)
class Comparison:
    """Counts of readelf's rows, each compared at its first and last address.

    reasons: why rows are unsupported; counts of addresses, of which a row has two.
    """

    rows: int = 0
    agree: int = 0
    expression: int = 0
    unsupported: int = 0
    overlapping: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    differ: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: Comparison) -> Comparison:
        self.rows += other.rows
        self.agree += other.agree
        self.expression += other.expression
        self.unsupported += other.unsupported
        self.overlapping += other.overlapping
        self.reasons += other.reasons
        self.differ += other.differ
        return self


def compare_file(path: Path) -> Comparison | None:
    """Compare one file; None when it has no unwind information. Raises BadFileError."""
    with path.open("rb", buffering=0) as file:
        sections = [section for section in frame_sections(ElfImage(file)) if section.data]
    if not sections:
        return None
    total = Comparison()
    for section in sections:
        total += compare(section, read_oracle(path, section))
    return total


def compare(section: FrameSection, oracle: Oracle) -> Comparison:
    """Compare a section's rows with what readelf says of it."""
    rows = compile_rows(section)
    starts, ends = _in_code(section, oracle)
    result = Comparison(rows=len(starts))
    ids = np.array(oracle.ids, np.int64)[_code_mask(section, oracle)]
    overlapping = _overlapping(oracle.fdes, starts)
    for address in (starts, ends - 1):
        _compare_at(rows, oracle, address[~overlapping], ids[~overlapping], result)
    result.overlapping = int(overlapping.sum())
    for name in ("agree", "expression", "unsupported"):
        setattr(result, name, getattr(result, name) // 2)
    result.differ += _uncovered(rows, oracle.fdes)
    result.differ += _unknown_starts(rows, starts, ends)
    return result


def read_oracle(path: Path, section: FrameSection) -> Oracle:
    """Run readelf over a file and parse its text as it comes."""
    command = ["readelf", "--wide", "--debug-dump=frames-interp", "--debug-dump=no-follow-links"]
    name = ".debug_frame" if section.is_debug_frame else ".eh_frame"
    with subprocess.Popen(
        [*command, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        return parse(_section_lines(process.stdout, name))


def parse(lines: Iterable[str]) -> Oracle:
    """Parse the text of one section."""
    oracle = Oracle()
    parser = _Parser(oracle)
    for line in lines:
        parser.feed(line)
    parser.end_entry()
    return oracle


class _Parser:
    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.initial: dict[str, Rule] = {}
        self.entry: list[str] = []
        self.columns: list[str] = []
        self.rows: list[tuple[int, Rule]] = []
        self.is_signal = False
        self.cache: dict[tuple[str, str, str, bool], Rule] = {}

    def feed(self, line: str) -> None:
        if "(" in line:
            line = REGISTER_IN_TWO_WORDS.sub(r"\1", line)
        words = line.split()
        if not words or words[1:] == ["ZERO", "terminator"]:
            return
        if len(words) >= 5 and words[3] in ("CIE", "FDE"):
            self.end_entry()
            self.begin_entry(words)
        elif words[0] == "LOC":
            self.columns = words[1:]
        elif self.columns:
            self.rows.append((int(words[0], 16), self.rule(words[1:])))

    def begin_entry(self, words: list[str]) -> None:
        self.entry = words
        self.columns = []
        self.rows = []
        if words[3] == "CIE":
            self.is_signal = "S" in words[4]
        else:
            self.is_signal = self.initial[_cie_of(words)].is_signal

    def rule(self, values: list[str]) -> Rule:
        by_name = dict(zip(self.columns, values, strict=True))
        sp = by_name.get("rsp", NOT_MENTIONED)
        key = (
            f"{sp}+0" if sp in REGISTERS else by_name["CFA"],  # the caller's stack pointer
            by_name.get("rbp", NOT_MENTIONED),
            by_name.get("ra", NOT_MENTIONED),
            self.is_signal,
        )
        return self.cache.setdefault(key, Rule(*key))

    def end_entry(self) -> None:
        if not self.entry:
            return
        if self.entry[3] == "CIE":
            none = Rule(EXPRESSION, NOT_MENTIONED, NOT_MENTIONED, self.is_signal)
            self.initial[self.entry[0]] = self.rows[-1][1] if self.rows else none
            return
        start, end = (int(part, 16) for part in self.entry[5].removeprefix("pc=").split(".."))
        self.add_rows(start, end)

    def add_rows(self, start: int, end: int) -> None:
        rows = self.rows or [(start, self.initial[_cie_of(self.entry)])]
        self.oracle.fdes.append((start, end))
        for (place, rule), (next_place, _) in zip(
            rows, [*rows[1:], (end, rows[-1][1])], strict=True
        ):
            self.oracle.add(place, min(next_place, end), rule)


def _cie_of(words: list[str]) -> str:
    return words[4].removeprefix("cie=")


def _section_lines(lines: Iterable[str], name: str) -> Iterator[str]:
    wanted = False
    for line in lines:
        if line.startswith("Contents of the "):
            wanted = f"the {name} section" in line
        elif wanted:
            yield line


def describe(rule: NDArray[np.void]) -> Rule:
    """One of our rules in readelf's words; `?` for what cannot be computed."""
    cfa = {
        lib.CFA_NONE: "none",
        lib.CFA_UNSUPPORTED: "?",
        lib.CFA_SP: f"rsp{rule['cfa_offset']:+d}",
        lib.CFA_FP: f"rbp{rule['cfa_offset']:+d}",
        lib.CFA_REGISTER: f"{REGISTERS[rule['cfa_register']]}{rule['cfa_offset']:+d}",
    }
    fp = {
        lib.FP_SAME: "s",
        lib.FP_AT_CFA: f"c{rule['fp_offset']:+d}",
        lib.FP_REGISTER: REGISTERS[rule["fp_offset"] & 15],
        lib.FP_UNKNOWN: "?",
    }
    ra = {
        lib.RA_AT_CFA: f"c{rule['ra_offset']:+d}",
        lib.RA_UNDEFINED: NOT_MENTIONED,
        lib.RA_REGISTER: REGISTERS[rule["ra_offset"] & 15],
        lib.RA_UNSUPPORTED: "?",
    }
    return Rule(
        cfa.get(int(rule["cfa_kind"]), EXPRESSION),
        fp.get(int(rule["fp_kind"]), EXPRESSION),
        ra.get(int(rule["ra_kind"]), EXPRESSION),
        bool(rule["is_signal"]),
    )


def judge(ours: Rule, theirs: Rule) -> str:
    """`agree`, `expression` or `unsupported` (nothing more to compare), or the difference."""
    if ours.cfa == ours.ra == "?" and theirs.cfa != "none":
        return "unsupported"
    same = all(map(_same, (ours.cfa, ours.fp, ours.ra), (theirs.cfa, theirs.fp, theirs.ra)))
    if not same or ours.is_signal != theirs.is_signal:
        return f"{theirs} read as {ours}"
    if ours.cfa == "?" or ours.ra == "?":
        return "unsupported"
    return "expression" if EXPRESSION in (theirs.cfa, theirs.fp, theirs.ra) else "agree"


def why_unsupported(ours: Rule, theirs: Rule) -> str:
    """What a rule has no room for."""
    if ours.cfa == "?":
        by_expression = theirs.cfa == EXPRESSION
        return "CFA by an expression" if by_expression else "stack pointer by a rule of its own"
    if theirs.ra in REGISTERS:
        return "return address in a register"
    return "return address by another rule"


def _same(ours: str, theirs: str) -> bool:
    if theirs == NOT_MENTIONED:
        return ours in (NOT_MENTIONED, "s", "?")
    if ours == "?":
        return theirs in (EXPRESSION, "vexp") or theirs.startswith("v") or _is_register(theirs)
    return ours == theirs or (theirs == EXPRESSION and _is_plain(ours))


def _is_plain(ours: str) -> bool:
    """`breg7+8` alone, as an expression, is the same as `rsp+8`."""
    return ours[:3] in REGISTERS


def _is_register(text: str) -> bool:
    """A register that rules have no room for, such as rip or xmm0, alone or with an offset."""
    name = text.partition("+")[0].partition("-")[0]
    return name not in REGISTERS and not text.startswith("c")


def _find(rows: UnwindRows, addresses: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Ids of the rules in force."""
    if not len(rows.offsets):
        return np.zeros(len(addresses), np.int64)
    places = rows.offsets.astype(np.uint64) + np.uint64(rows.base)
    index = np.searchsorted(places, addresses, "right")
    return np.where(index == 0, 0, rows.rules[np.maximum(index, 1) - 1]).astype(np.int64)


def _compare_at(
    rows: UnwindRows,
    oracle: Oracle,
    addresses: NDArray[np.uint64],
    theirs: NDArray[np.int64],
    result: Comparison,
) -> None:
    ours = _find(rows, addresses)
    our_rules = [describe(rule) for rule in rows.dictionary]
    their_rules = list(oracle.rules)
    pairs, counts = np.unique(ours * len(their_rules) + theirs, return_counts=True)
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        our_id, their_id = divmod(pair, len(their_rules))
        verdict = judge(our_rules[our_id], their_rules[their_id])
        if verdict in ("agree", "expression", "unsupported"):
            setattr(result, verdict, getattr(result, verdict) + count)
            if verdict == "unsupported":
                result.reasons[why_unsupported(our_rules[our_id], their_rules[their_id])] += count
        else:
            result.differ[verdict] += count


def _code_mask(section: FrameSection, oracle: Oracle) -> NDArray[np.bool_]:
    starts = np.array(oracle.starts, np.uint64)
    limit = np.uint64(min(section.code_limit, 2**64 - 1))
    mask: NDArray[np.bool_] = (starts >= np.uint64(section.code_start)) & (starts < limit)
    return mask


def _in_code(
    section: FrameSection, oracle: Oracle
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    mask = _code_mask(section, oracle)
    return np.array(oracle.starts, np.uint64)[mask], np.array(oracle.ends, np.uint64)[mask]


def _overlapping(fdes: list[tuple[int, int]], starts: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which addresses more than one FDE claims: who wins is our choice, not a difference."""
    mask = np.zeros(len(starts), np.bool_)
    reach = 0
    for start, end in sorted(fdes):
        if start < reach:
            mask |= (starts >= np.uint64(start)) & (starts < np.uint64(max(end, reach)))
        reach = max(reach, end)
    return mask


def _gaps(fdes: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    reach = None
    for start, end in sorted(fde for fde in fdes if fde[0] < fde[1]):
        if reach is not None and reach < start:
            yield reach, start
        reach = end if reach is None else max(reach, end)
    if reach is not None:
        yield reach, reach + 1


def _uncovered(rows: UnwindRows, fdes: list[tuple[int, int]]) -> Counter[str]:
    addresses = [place for start, end in _gaps(fdes) for place in (start, end - 1)]
    found = _find(rows, np.array(addresses, np.uint64))
    count = int((found != 0).sum())
    return Counter({"row where no FDE is": count}) if count else Counter()


def _unknown_starts(
    rows: UnwindRows, starts: NDArray[np.uint64], ends: NDArray[np.uint64]
) -> Counter[str]:
    places = rows.offsets.astype(np.uint64) + np.uint64(rows.base)
    count = int((~np.isin(places, np.concatenate([starts, ends]))).sum())
    return Counter({"row that readelf does not have": count}) if count else Counter()


def _print_line(name: str, comparison: Comparison) -> None:
    c = comparison
    differ = sum(c.differ.values())
    print(
        f"{name:<44.44} {c.rows:>9} {c.agree:>9} {c.expression:>7} {c.unsupported:>7}"
        f" {c.overlapping:>7} {differ:>7}",
        flush=True,
    )
    for reason, count in c.differ.most_common(8):
        print(f"    {count:>7}  {reason}")


def main(paths: list[str]) -> int:
    """Compare the files named on the command line; 1 when one differs."""
    total = Comparison()
    columns = f"{'exp':>7} {'unsup.':>7} {'overlap':>7} {'differ':>7}"
    print(f"{'file':<44} {'rows':>9} {'agree':>9} {columns}")
    for path in map(Path, paths):
        try:
            comparison = compare_file(path)
        except BadFileError as error:
            print(f"{path.name:<44.44} {error.message}")
            continue
        if comparison is not None:
            _print_line(path.name, comparison)
            total += comparison
    _print_line("total", total)
    return 1 if total.differ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
