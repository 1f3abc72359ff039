"""Symbol tables: what is left in stripped files, gaps, aliases, stubs."""

from __future__ import annotations

import lzma
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ebprof.elf import ElfImage, memory_file
from ebprof.errors import BadFileError
from ebprof.symbolize import Symbolizer
from ebprof.symbolize.functions import find_functions
from ebprof.symbolize.plt import StubTable
from ebprof.symbolize.symtab import SymbolTable, best_name, read_symbols
from ebprof.unwind.compile import UnwindRows, compile_rows, frame_sections
from tests import slow
from tests.binutils import functions, run
from tests.unit.symbolize.conftest import STATICS, Compile, opened

ASSEMBLY = r"""
__asm__(
    ".text\n"
    ".globl sized\n.type sized, @function\n"
    "sized: .skip 32, 0x90\n.size sized, 32\n"
    ".skip 4096, 0x90\n"
    ".globl sizeless\n.type sizeless, @function\n"
    "sizeless: .skip 48, 0x90\n"
    ".globl outer\n.type outer, @function\n"
    "outer: .skip 16, 0x90\n"
    "label_inside: .skip 16, 0x90\n"
    ".type inner, @function\n"
    "inner: .skip 16, 0x90\n.size inner, 16\n"
    ".skip 16, 0x90\n.size outer, 64\n"
    "label_alone: .skip 16, 0x90\n"
    ".section .text.last, \"ax\"\n"
    ".globl last\n.type last, @function\nlast: ret\n"
    ".data\n.globl data_label\ndata_label: .quad 1\n"
);
int main(void) { return 0; }
"""

ALIASES = r"""
int __GI___public_name(int x) { volatile int y = x; return y; }
extern __typeof(__GI___public_name) __public_name __attribute__((alias("__GI___public_name")));
extern __typeof(__GI___public_name) public_name
    __attribute__((weak, alias("__GI___public_name")));
static int pick_one(int x) { return x; }
static void *resolve(void) { return (void *)pick_one; }
int indirect(int) __attribute__((ifunc("resolve")));
int main(int argc, char **argv) { (void)argv; return public_name(argc) + indirect(argc); }
"""


def names(path: Path, addresses: list[int]) -> list[str]:
    with opened(path) as file:
        symbols = read_symbols(file.image)
        return [found[0].name if (found := symbols.find(a)) else "" for a in addresses]


def test_sizes_are_believed_and_gaps_are_unknown(compile_program: Compile) -> None:
    path = compile_program(ASSEMBLY, "gcc", "-O1")
    start, size = functions(path)["sized"]
    assert size == 32
    asked = [start - 1, start, start + 31, start + 32, start + 4000]
    assert names(path, asked)[1:] == ["sized", "sized", "", ""]


def test_functions_without_size_reach_to_the_next_symbol(compile_program: Compile) -> None:
    path = compile_program(ASSEMBLY, "gcc", "-O1")
    lines = [line.split() for line in run("nm", path).splitlines()]
    place = {words[-1]: int(words[0], 16) for words in lines if len(words) == 3}
    sizeless, outer = place["sizeless"], place["outer"]
    assert outer == sizeless + 48
    assert names(path, [sizeless, sizeless + 47]) == ["sizeless", "sizeless"]
    inside = [outer, outer + 15, outer + 16, outer + 31, outer + 32, outer + 47, outer + 48]
    assert names(path, inside) == ["outer"] * 4 + ["inner"] * 2 + ["outer"]
    assert names(path, [outer + 63, outer + 64, outer + 79]) == ["outer"] + ["label_alone"] * 2
    assert names(path, [place["data_label"]]) == [""]


def test_the_last_function_ends_with_its_section(compile_program: Compile) -> None:
    path = compile_program(ASSEMBLY, "gcc", "-O1")
    with opened(path) as file:
        text = file.image.section(".text")
        assert text is not None
        end = text.address + text.size
    assert names(path, [end - 1])[0]
    assert names(path, [end]) != names(path, [end - 1])


def test_aliases(compile_program: Compile) -> None:
    path = compile_program(ALIASES, "gcc", "-O1")
    symbols = functions(path)
    assert symbols["public_name"] == symbols["__GI___public_name"]
    assert names(path, [symbols["public_name"][0]]) == ["public_name"]
    (indirect,) = [
        int(line.split()[0], 16) for line in run("nm", path).splitlines() if " i " in line
    ]
    assert names(path, [indirect]) == ["indirect"]


def test_best_name() -> None:
    assert best_name([(True, "a"), (False, "longer")]) == "longer"
    assert best_name([(False, "memcpy@@GLIBC_2.14"), (False, "__memcpy_impl")]) == "__memcpy_impl"
    assert best_name([(False, "memcpy@GLIBC_2.2.5")]) == "memcpy"
    assert best_name([(False, "__write"), (False, "write"), (False, "__GI___write")]) == "write"
    assert best_name([]) == ""


def test_stripped_library_has_dynamic_symbols_only(compile_program: Compile) -> None:
    path = compile_program(STATICS, "gcc", "-O2", "-shared", "-fPIC")
    stripped = path.with_name("stripped.so")
    run("strip", "-o", stripped, path)
    symbols = functions(path)
    asked = [symbols["visible"][0], symbols["hidden_helper"][0]]
    assert names(path, asked) == ["visible", "hidden_helper"]
    assert names(stripped, asked) == ["visible", ""]


def test_all_tables_are_used_together(compile_program: Compile) -> None:
    """One symbol was kept, of the others those that are exported are left: as in bpftrace."""
    path = compile_program(STATICS, "gcc", "-O2", "-shared", "-fPIC")
    kept = path.with_name("kept.so")
    run("strip", "-K", "hidden_helper", "-o", kept, path)
    symbols = functions(path)
    asked = [symbols[name][0] for name in ("hidden_helper", "visible", "main")]
    assert names(kept, asked) == ["hidden_helper", "visible", "main"]
    with opened(kept) as file:
        (found,) = find_functions(file, "visible")
    assert found.address == symbols["visible"][0]


def test_functions_in_d_are_found_by_their_readable_names(compile_program: Compile) -> None:
    source = 'int work(int) __asm__("_D3app5Thing4workMFiZi");\nint work(int x) { return x; }\n'
    path = compile_program(f"{source}int main(void) {{ return work(1); }}", "gcc", "-O0")
    start, _ = functions(path)["_D3app5Thing4workMFiZi"]
    with opened(path) as file:
        for name in ("app.Thing.work", "app.Thing.work(int)"):
            assert [one.address for one in find_functions(file, name)] == [start]


def test_a_table_in_the_file_hides_none_in_its_debug_file(compile_program: Compile) -> None:
    path = compile_program(STATICS, "gcc", "-O2")
    debug, kept = path.with_name("program.debug"), path.with_name("kept")
    run("objcopy", "--only-keep-debug", path, debug)
    run("strip", "-K", "visible", "-o", kept, path)
    run("objcopy", f"--add-gnu-debuglink={debug}", kept)
    symbols = functions(path)
    with opened(kept) as file, opened(debug) as other:
        found = read_symbols(file.image, other.image)
        for name in ("visible", "hidden_helper"):
            assert found.find(symbols[name][0])[0].name == name
        (function,) = find_functions(file, "hidden_helper")
    assert function.address == symbols["hidden_helper"][0]


LABELS = r"""
__asm__(
    ".text\n.globl asm_label\n"
    "asm_label: .skip 4, 0x90\n ret\n"
    ".globl with_cfi\n.p2align 4\n"
    "with_cfi: .cfi_startproc\n .skip 20, 0x90\n ret\n .cfi_endproc\n"
);
static __attribute__((noinline)) int hidden(int x) { volatile int y = x; return y + 1; }
__attribute__((noinline)) int visible(int x) { return hidden(x); }
__asm__(".text\n.globl last_label\nlast_label: .skip 7, 0x90\n ret\n .p2align 4\n");
int main(int argc, char **argv) { (void)argv; return visible(argc); }
"""


@pytest.mark.parametrize("headers", [True, False], ids=["sections", "no sections"])
def test_labels_do_not_swallow_functions_without_a_symbol(
    compile_program: Compile, headers: bool
) -> None:
    path = compile_program(LABELS, "gcc", "-O1", "-rdynamic", "-fno-toplevel-reorder")
    stripped = path.with_name("stripped")
    run("strip", "-o", stripped, path)
    if not headers:
        stripped = without_section_headers(stripped, "absent")
    lines = [line.split() for line in run("nm", path).splitlines()]
    place = {words[-1]: int(words[0], 16) for words in lines if len(words) == 3}
    hidden = place["hidden"]
    assert place["asm_label"] < place["with_cfi"] < hidden < place["visible"]
    assert names(path, [hidden]) == ["hidden"]
    assert names(stripped, [hidden, hidden + 4, place["visible"] - 1]) == ["", "", ""]
    for label, inside in (("asm_label", 4), ("with_cfi", 20), ("last_label", 7)):
        start = place[label]
        assert names(stripped, [start, start + inside]) == [label] * 2


@pytest.mark.parametrize("flags", [(), ("-fno-asynchronous-unwind-tables",)], ids=["cfi", "none"])
def test_labels_reach_as_far_as_their_code(
    compile_program: Compile, flags: tuple[str, ...]
) -> None:
    """Nothing but its instructions tells a label's end where neither symbols nor rows do."""
    path = compile_program(
        LABELS.replace("with_cfi", "branches")
        .replace(".cfi_startproc", "jz 1f")
        .replace(" .skip 20, 0x90", " ret; 1: .skip 20, 0x90")
        .replace(".cfi_endproc", ""),
        "gcc",
        "-O1",
        "-rdynamic",
        "-fno-toplevel-reorder",
        *flags,
    )
    stripped = path.with_name("stripped")
    run("strip", "-o", stripped, path)
    lines = [line.split() for line in run("nm", path).splitlines()]
    place = {words[-1]: int(words[0], 16) for words in lines if len(words) == 3}
    hidden, visible = place["hidden"], place["visible"]
    assert names(stripped, [hidden, hidden + 4, visible - 1]) == ["", "", ""]
    assert names(path, [hidden, hidden + 4]) == ["hidden"] * 2
    for label, inside in (("asm_label", 4), ("branches", 23), ("last_label", 7)):
        start = place[label]
        assert names(stripped, [start, start + inside]) == [label] * 2


def test_a_label_inside_a_function_ends_with_it(compile_program: Compile) -> None:
    path = compile_program(ASSEMBLY, "gcc", "-O1")
    kept = path.with_name("kept")
    run("strip", "-K", "outer", "-K", "label_inside", "-o", kept, path)
    outer, size = functions(path)["outer"]
    assert names(kept, [outer + 20, outer + size]) == ["outer", ""]


def without_section_headers(path: Path, how: str) -> Path:
    """As sstrip and packers leave a file."""
    data = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    if how == "zeroed":
        data[start : start + size * count] = bytes(size * count)
    elif how == "absent":
        struct.pack_into("<Q", data, 40, 0)
        struct.pack_into("<HHH", data, 58, 0, 0, 0)
    elif how == "cut off":
        del data[start:]
    result = path.with_name(f"{path.name}-{how.replace(' ', '-')}")
    result.write_bytes(data)
    return result


@pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
@pytest.mark.parametrize("how", ["zeroed", "absent", "cut off"])
def test_dynamic_symbols_without_section_headers(
    compile_program: Compile, how: str, style: str
) -> None:
    flags = ("-O2", "-shared", "-fPIC", f"-Wl,--hash-style={style}", "-Wl,--build-id")
    path = compile_program(STATICS, "gcc", *flags)
    bare = without_section_headers(path, how)
    symbols = functions(path)
    asked = [symbols[name][0] for name in ("visible", "main", "hidden_helper")]
    assert names(bare, asked) == ["visible", "main", ""]
    with opened(bare) as file, opened(path) as whole:
        assert file.image.build_id == whole.image.build_id != ""
        (found,) = find_functions(file, "visible")
        ours, theirs = rows_of(file.image), rows_of(whole.image)
        assert ours.base == theirs.base
        assert {*theirs.offsets.tolist()} == {*ours.offsets.tolist()}
    assert found.address == symbols["visible"][0]


def rows_of(image: ElfImage) -> UnwindRows:
    """Of `.eh_frame`."""
    return compile_rows(frame_sections(image)[0])


def minidebug(path: Path, packed: bytes) -> Path:
    data, result = path.with_name("symbols.xz"), path.with_name("mini.so")
    data.write_bytes(packed)
    run("strip", "-o", result, path)
    run("objcopy", "--add-section", f".gnu_debugdata={data}", result)
    return result


def test_minidebuginfo_names_local_functions(compile_program: Compile) -> None:
    path = compile_program(STATICS, "gcc", "-O2", "-shared", "-fPIC")
    symbols = functions(path)
    only_symbols = path.with_name("only-symbols")
    run("objcopy", "--only-keep-debug", "-S", "--keep-symbol=hidden_helper", path, only_symbols)
    mini = minidebug(path, lzma.compress(only_symbols.read_bytes()))
    asked = [symbols["visible"][0], symbols["hidden_helper"][0]]
    assert names(mini, asked) == ["visible", "hidden_helper"]


@pytest.mark.parametrize(
    "packed",
    [b"", b"garbage", lzma.compress(b"not ELF"), lzma.compress(bytes(80 << 20), preset=1)],
    ids=["empty", "garbage", "not ELF", "bomb"],
)
def test_bad_minidebuginfo_is_left_out(compile_program: Compile, packed: bytes) -> None:
    path = compile_program(STATICS, "gcc", "-O2", "-shared", "-fPIC")
    mini = minidebug(path, packed)
    assert names(mini, [functions(path)["visible"][0]]) == ["visible"]


@pytest.mark.parametrize("flags", [("-Wl,-z,lazy",), ("-Wl,-z,now",), ("-fcf-protection=full",)])
def test_stubs(compile_program: Compile, flags: tuple[str, ...]) -> None:
    source = (
        '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts("a"); return rand(); }\n'
    )
    path = compile_program(source, "gcc", "-O1", *flags)
    expected = {}
    for line in run("objdump", "-d", "-j", ".plt", "-j", ".plt.sec", path).splitlines():
        if line.endswith("@plt>:"):
            address, _, name = line.rstrip(">:").partition(" <")
            expected[int(address, 16)] = name
    with opened(path) as file:
        stubs = StubTable(file.image)
        found = {a: stubs.find(a + 5)[0].name for a in expected if stubs.find(a + 5)}
    assert {"puts@plt", "rand@plt"} <= set(found.values())
    assert found.items() <= expected.items()


def test_stubs_of_an_object_that_was_closed_and_opened_again(
    compile_program: Compile, symbolizer: Symbolizer
) -> None:
    source = "#include <stdlib.h>\nint main(void) { return rand(); }\n"
    path = compile_program(source, "gcc", "-O1", "-Wl,-z,lazy")
    start = functions(path)["main"][0]
    with opened(path) as file:
        symbolizer.object_locations(file, [start])
        plt = file.image.section(".plt")
        assert plt is not None
    with opened(path) as file:
        (location,) = symbolizer.object_locations(file, [plt.address + 16]).values()
    assert location.frames[0].function == "rand@plt"


def look_up_everything(data: bytes) -> None:
    with memory_file(data) as file:
        try:
            image = ElfImage(file)
            symbols: SymbolTable = read_symbols(image)
            stubs = StubTable(image)
        except BadFileError:
            return
        for address in (0, 0x1000, 0x1139, (1 << 64) - 1, 1 << 70, -1):
            symbols.find(address)
            stubs.find(address)


@settings(
    max_examples=slow.examples(200),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_survives_damaged_tables(compile_program: Compile, data: st.DataObject) -> None:
    program = compile_program(STATICS, "gcc", "-O2").read_bytes()
    damaged = bytearray(program)
    for _ in range(data.draw(st.integers(1, 30))):
        place = data.draw(st.integers(0, len(program) - 9))
        damaged[place : place + 8] = data.draw(st.binary(min_size=8, max_size=8))
    look_up_everything(bytes(damaged))


def test_survives_truncation(compile_program: Compile) -> None:
    program = compile_program(STATICS, "gcc", "-O2").read_bytes()
    for size in range(0, len(program), 97):
        look_up_everything(program[:size])


def test_many_nested_symbols_are_searched_in_bounded_time() -> None:
    import numpy as np

    from ebprof.symbolize.ranges import RangeTable

    count = 200_000
    starts = np.arange(count, dtype=np.uint64)
    ends = starts + np.uint64(1)
    ends[0] = count
    table = RangeTable(starts, ends)
    assert list(table.covering(100)) == [100, 0]
    assert list(table.covering(count - 1)) == [count - 1]
    assert list(table.covering(count)) == []
