"""Writes ELF files with the function table of each version of Go, wherever linkers put it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tests.unit.unwind.frame_builder import uleb

TEXT, TABLE, DATA = 0x401000, 0x500000, 0x600000
"""Addresses of code, of the table's segment and of a data segment."""

MAIN, WORK, END = 0, 0x100, 0x180
"""Where functions begin in the code, and where the last one ends."""

INLINED = range(0x20, 0x40)
"""Where main.main has main.helper inlined, called from line 12; its own lines are 50 and on."""

_FILES = ("/src/main.go", "/src/helper.go")
_NAMES = ("main.main", "main.work", "main.helper")
_MAGIC = {"1.2": 0xFFFFFFFB, "1.16": 0xFFFFFFFA, "1.18": 0xFFFFFFF0}
_MAGIC_NEW = 0xFFFFFFF1
_TREES = 0x3000
"""Where inlined calls are, from the table's segment; from 1.26 on they are a part of the table."""


@dataclass(frozen=True, slots=True)
class GoFile:
    """version: the first one of Go that writes the table so. section: of the table, '' for none.
    pie: pointers are relocations, and zero in the file. module: with the runtime's module data.
    foreign: main.work is in C: the table has no more than its name.
    """

    version: str = "1.20"
    section: str = ".gopclntab"
    pie: bool = False
    module: bool = True
    foreign: bool = False

    def build(self) -> bytes:
        """The file: headers, code, the table's segment and a data segment."""
        table, pointers = self._table()
        data, more = self._data(table)
        pointers = {**pointers, **more}
        table = table.ljust(0x4000, b"\0")
        relocations, dynamic = b"", b""
        if self.pie:
            table, data = _zeroed(table, TABLE, pointers), _zeroed(data, DATA, pointers)
            rows = [struct.pack("<QQQ", at, 8, to) for at, to in pointers.items()]
            relocations = b"".join(rows)
            at = DATA + len(data)
            dynamic = struct.pack("<6Q", 7, at, 8, len(relocations), 0, 0)
        data += relocations
        return self._file(table, data, dynamic)

    # ---- the table -------------------------------------------------------------------------------

    def _table(self) -> tuple[bytes, dict[int, int]]:
        """The table, and what its pointers are, by address."""
        return self._old_table() if self.version == "1.2" else self._new_table()

    def _new_table(self) -> tuple[bytes, dict[int, int]]:
        is_1_16 = self.version == "1.16"
        parts = 24 if is_1_16 else 32
        names, name_at = _strings(_NAMES)
        files, file_at = _strings(_FILES)
        steps, step_at = self._steps()
        units = struct.pack("<2I", *file_at)
        places, body = [], b""
        for part in (names, units, files, steps):
            places.append(parts + 40 + len(body))
            body += part + bytes(-len(part) % 8)
        places.append(parts + 40 + len(body))
        functions, pointers = self._functions(name_at, step_at, TABLE + places[-1])
        magic = _MAGIC.get(self.version, _MAGIC_NEW)
        header = struct.pack("<IHBB2Q", magic, 0, 1, 8, 2, 2)
        if not is_1_16:
            text = 0 if self.version in ("1.26", "1.27") else TEXT
            pointers |= {TABLE + 24: text} if text else {}
            header += struct.pack("<Q", text)
        table = (header + struct.pack("<5Q", *places) + body + functions).ljust(_TREES, b"\0")
        return table + self._tree(name_at), pointers

    def _functions(
        self, names: list[int], steps: dict[str, int], address: int
    ) -> tuple[bytes, dict[int, int]]:
        is_1_16 = self.version == "1.16"
        kind = "Q" if is_1_16 else "I"
        base = TEXT if is_1_16 else 0
        size = struct.calcsize(kind)
        records, pairs = b"", []
        for number, start in enumerate((MAIN, WORK)):
            pairs += [base + start, 5 * size + len(records)]
            records += self._record(base + start, names[number], steps, is_main=number == 0)
        functions = struct.pack(f"<5{kind}", *pairs, base + END) + records
        if not is_1_16:
            return functions, {}
        pointers = {address + 8 * n: base + at for n, at in ((0, MAIN), (2, WORK), (4, END))}
        pointers |= {address + pairs[n]: base + at for n, at in ((1, MAIN), (3, WORK))}
        return functions, pointers

    def _record(self, entry: int, name: int, steps: dict[str, int], *, is_main: bool) -> bytes:
        who = "main" if is_main else "work"
        record = struct.pack("<Q" if self.version == "1.16" else "<I", entry)
        frame = 0 if self.foreign and not is_main else steps["frame"]
        fields = (name, 0, 0, frame, steps[f"{who} file"], steps[f"{who} line"], 3, 0)
        record += struct.pack("<8I", *fields)
        if self.version not in ("1.16", "1.18"):
            record += struct.pack("<I", 10)
        record += bytes([0, 0, 0, 4])
        record += struct.pack("<3I", 0, 0, steps["inlined"] if is_main else 0)
        trees = struct.pack("<4I", *[2**32 - 1] * 3, 0 if is_main else 2**32 - 1)
        return record + (bytes(-len(record) % 8) if self.version == "1.16" else trees)

    def _steps(self) -> tuple[bytes, dict[str, int]]:
        inlined = [(0, INLINED.start), (1, len(INLINED)), (0, 0x100 - INLINED.stop)]
        main_lines = [(10, 0x10), (12, 0x10), (50, len(INLINED)), (13, 0x100 - INLINED.stop)]
        tables = {
            "frame": [(0, 4), (24, 0xFC)],
            "main file": inlined,
            "main line": main_lines,
            "work file": [(1, 0x80)],
            "work line": [(70, 0x40), (71, 0x40)],
            "inlined": [(value - 1, size) for value, size in inlined],
        }
        data, places = b"\0", {}
        for name, steps in tables.items():
            places[name] = len(data)
            data += _encoded(steps)
        return data, places

    def _tree(self, names: list[int]) -> bytes:
        """The call of main.helper, by the instruction at 0x10."""
        if self.version == "1.18":
            return struct.pack("<hBxiiii", -1, 0, 1, 12, names[2], 0x10)
        return struct.pack("<B3xiii", 0, names[2], 0x10, 49)

    def _old_table(self) -> tuple[bytes, dict[int, int]]:
        """Of Go 1.2 to 1.15: all offsets count from the table's start."""
        steps, step_at = self._steps()
        names, name_at = _strings(_NAMES)
        files, file_at = _strings(("", *_FILES))
        start = 16 + 2 * 16 + 8 + 8
        step_base = start + 2 * 48
        name_base = step_base + len(steps)
        file_base = name_base + len(names)
        list_at = file_base + len(files)
        records = b""
        for number, at in enumerate((MAIN, WORK)):
            who = ("main", "work")[number]
            # Files are numbered from 1; so are ours, by one step more at the start.
            places = [step_base + step_at[one] for one in ("frame", f"{who} file", f"{who} line")]
            records += struct.pack(
                "<Q8I", TEXT + at, name_base + name_at[number], 0, 0, *places, 0, 0
            )
            records += bytes(48 - 40)
        pairs = [TEXT + MAIN, start, TEXT + WORK, start + 48, TEXT + END, list_at]
        header = struct.pack("<IHBBQ", _MAGIC["1.2"], 0, 1, 8, 2)
        table = header + struct.pack("<5QI4x", *pairs) + records + steps + names + files
        table += struct.pack("<2I", *(file_base + at for at in file_at[1:]))
        pointers = {TABLE + 16 + 8 * n: pairs[n] for n in (0, 2, 4)}
        pointers |= {TABLE + start + 48 * n: TEXT + at for n, at in enumerate((MAIN, WORK))}
        return table, pointers

    # ---- module data, file -----------------------------------------------------------------------

    def _data(self, table: bytes) -> tuple[bytes, dict[int, int]]:
        if not self.module:
            return bytes(0x200), {}
        words = [0] * 48
        words[0] = TABLE
        if self.version == "1.2":
            words[1] = len(table)
            return _module(words, (0,))
        names = 24 if self.version == "1.16" else 32
        offsets = struct.unpack_from("<5Q", table, names)
        words[1], words[13], words[14] = TABLE + offsets[0], TABLE + offsets[4], _TREES - offsets[4]
        words[20:24] = TEXT + MAIN, TEXT + END, TEXT, TEXT + END
        place = {"1.16": 0, "1.18": 38, "1.27": 43}.get(self.version, 40)
        if place:
            words[place] = TABLE + _TREES
        if self.version in ("1.26", "1.27"):
            words[place + 1] = TABLE + len(table)
        return _module(words, (0, 1, 13, 20, 21, 22, 23, place, place + 1))

    def _file(self, table: bytes, data: bytes, dynamic: bytes) -> bytes:
        parts = [(TEXT, 5, bytes(END)), (TABLE, 4, table), (DATA, 6, data + dynamic)]
        at, body, programs = 0x1000, b"", b""
        for address, flags, contents in parts:
            size = len(contents)
            fields = (1, flags, at + len(body), address, address, size, size, 0x1000)
            programs += struct.pack("<IIQQQQQQ", *fields)
            body += contents + bytes(-size % 0x1000)
        if dynamic:
            fields = (2, 6, 0, DATA + len(data), 0, len(dynamic), len(dynamic), 8)
            programs += struct.pack("<IIQQQQQQ", *fields)
        names = b"\0.shstrtab\0" + self.section.encode() + b"\0"
        end = at + len(body)
        sections = bytes(64)
        row = "<IIQQQQIIQQ"
        if self.section:
            sections += struct.pack(row, 11, 1, 2, TABLE, 0x2000, len(table), 0, 0, 8, 0)
        sections += struct.pack(row, 1, 3, 0, 0, end, len(names), 0, 0, 1, 0)
        count = len(sections) // 64 if self.section else 0
        start = end + len(names) if count else 0
        header = b"\x7fELF\2\1\1" + bytes(9)
        header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, TEXT, 64, start, 0, 64, 56,
                              len(programs) // 56, 64, count, max(count - 1, 0))  # fmt: skip
        file = (header + programs).ljust(at, b"\0") + body
        return file + names + sections if count else file


def _module(words: list[int], pointers: tuple[int, ...]) -> tuple[bytes, dict[int, int]]:
    """Module data behind something else, as in a data segment."""
    at = DATA + 0x40
    places = {at + 8 * n: words[n] for n in pointers if words[n]}
    return bytes(0x40) + struct.pack(f"<{len(words)}Q", *words), places


def _zeroed(data: bytes, address: int, pointers: dict[int, int]) -> bytes:
    out = bytearray(data)
    for at in pointers:
        if address <= at < address + len(data):
            out[at - address : at - address + 8] = bytes(8)
    return bytes(out)


def _strings(texts: tuple[str, ...]) -> tuple[bytes, list[int]]:
    data, places = b"", []
    for text in texts:
        places.append(len(data))
        data += text.encode() + b"\0"
    return data, places


def _encoded(steps: list[tuple[int, int]]) -> bytes:
    """A table of values: differences, from -1 on, zigzag-coded, and how far each goes."""
    data, last = b"", -1
    for value, size in steps:
        change = value - last
        data += uleb(change << 1 if change >= 0 else ~change << 1 | 1) + uleb(size)
        last = value
    return data + b"\0"
