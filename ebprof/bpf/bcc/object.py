"""A BPF object whose programs bcc has compiled."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ebprof._native import ffi, lib
from ebprof.bpf.bcc import compiler, headers, source
from ebprof.bpf.devices import probe_type
from ebprof.bpf.maps import BpfMap
from ebprof.bpf.object import DOCTOR, BpfObject, cannot_attach, refusal
from ebprof.errors import UnsupportedError

LICENSE = b"Dual BSD/GPL"
_SECTIONS = (".rodata", ".bss", ".data.rules")
_KINDS = {
    "perf_event": lib.BPF_PROG_TYPE_PERF_EVENT,
    "tracepoint": lib.BPF_PROG_TYPE_TRACEPOINT,
    "uprobe": lib.BPF_PROG_TYPE_KPROBE,
    "kprobe": lib.BPF_PROG_TYPE_KPROBE,
    "tp_btf": lib.BPF_PROG_TYPE_RAW_TRACEPOINT,  # the same arguments, as numbers
    "iter/bpf_map_elem": lib.BPF_PROG_TYPE_RAW_TRACEPOINT,  # called with each key
}
_PERF_EVENT_IOC_ENABLE, _PERF_EVENT_IOC_SET_BPF = 0x2400, 0x40042408
_LOG_SIZE = 1 << 20


class BccObject(BpfObject):
    """An object of this package: its maps by libbpf, its programs by bcc.

    Raises UnsupportedError, besides for what BpfObject does, where there is no bcc, where there are
    no headers that fit the kernel, and for what bcc cannot load.
    """

    iterates_tasks = False

    def __init__(self, name: str | Path) -> None:
        if isinstance(name, Path):
            raise UnsupportedError(
                f"bcc loads ebprof's own programs only, not {name.name}", "use --loader libbpf"
            )
        self._path = files("ebprof.bpf") / f"{name}.bpf.o"
        super().__init__(name, types=str(self._path))
        self._programs: dict[str, int] = {}
        self._skipped: set[str] = set()

    def skip_program(self, name: str) -> None:
        """Leave a program out of the load."""
        self._skipped.add(name)

    def load(self) -> None:
        """Create the maps, have bcc compile the programs and the kernel verify them."""
        wanted: dict[str, int] = {}
        for handle in self._each_program():
            lib.bpf_program__set_autoload(handle, False)
            name = ffi.string(lib.bpf_program__name(handle)).decode()
            if name not in self._skipped:
                wanted[name] = self._kind(name)
        super().load()
        for name, code in self._compile(wanted).items():
            self._programs[name] = self._load_program(name, wanted[name], code)

    def program_fd(self, name: str) -> int:
        """The descriptor of a loaded program, which the object owns."""
        return self._programs[name]

    def attach(self, program: str) -> None:
        """Attach by what the program's section says: a tracepoint or a function of the kernel."""
        kind, _, target = self._section(program).partition("/")
        if kind == "kprobe":
            self.attach_event(program, _open_probe(program, "kprobe", target))
            return
        link = lib.bpf_raw_tracepoint_open(target.encode(), self.program_fd(program))
        if link < 0:
            raise cannot_attach(program, -link)
        self._on_detach(program, os.close, link)

    def attach_event(self, program: str, event: int) -> None:
        """Attach to a perf event and enable it; the object then owns the descriptor `event`."""
        try:
            fcntl.ioctl(event, _PERF_EVENT_IOC_SET_BPF, self.program_fd(program))
            fcntl.ioctl(event, _PERF_EVENT_IOC_ENABLE, 0)
        except OSError as error:
            os.close(event)
            raise cannot_attach(program, error.errno or 0) from None
        self._on_detach(program, os.close, event)

    def attach_function(self, program: str, path: str, offset: int, pid: int = -1) -> None:
        """Attach to code at an offset in a file, in one process or (-1) in all."""
        self.attach_event(program, _open_probe(program, "uprobe", path, offset, pid))

    def iterate(self, program: str, over: BpfMap | None = None) -> Calls:
        """A program that is called with each key of a map, as iterators need the kernel's BTF."""
        if over is None:
            raise UnsupportedError("bcc iterates over maps only", "use --loader libbpf")
        return Calls(self.program_fd(program), over)

    @staticmethod
    def has_function(name: str) -> bool:
        """Whether programs can be attached to a function of the kernel."""
        try:
            os.close(_open_probe(name, "kprobe", name))
        except UnsupportedError:
            return False
        return True

    @staticmethod
    def has_tracepoint(name: str) -> bool:
        """Whether the kernel has a tracepoint that programs can be attached to."""
        probe = bytes.fromhex("b7000000000000009500000000000000")  # return 0
        program = _load(lib.BPF_PROG_TYPE_RAW_TRACEPOINT, b"probe", probe)
        if program < 0:
            return False
        link = lib.bpf_raw_tracepoint_open(name.encode(), program)
        os.close(program)
        if link >= 0:
            os.close(link)
        return bool(link >= 0)

    def _kind(self, program: str) -> int:
        section = self._section(program)
        kind = section.partition("/")[0]
        for known in (section, kind):
            if known in _KINDS:
                return int(_KINDS[known])
        raise UnsupportedError(
            f"bcc cannot load {program} of {self.name}: it is a program of kind {kind}",
            "use --loader libbpf",
        )

    def _section(self, program: str) -> str:
        name = ffi.string(lib.bpf_program__section_name(self._program(program)))
        return str(name.decode())

    def _each_program(self) -> Iterator[Any]:
        handle = lib.bpf_object__next_program(self._object, ffi.NULL)
        while handle:
            yield handle
            handle = lib.bpf_object__next_program(self._object, handle)

    def _map_names(self) -> Iterator[str]:
        """But those of variables, whose names have dots."""
        handle = lib.bpf_object__next_map(self._object, ffi.NULL)
        while handle:
            name = ffi.string(lib.bpf_map__name(handle)).decode()
            if "." not in name:
                yield name
            handle = lib.bpf_object__next_map(self._object, handle)

    def _places(self) -> source.Places:
        variables = {
            name: (self.map(section).fd, offset)
            for section in _SECTIONS
            for name, (offset, _) in self.variables_of(section).items()
        }
        return source.Places({name: self.map(name).fd for name in self._map_names()}, variables)

    def _compile(self, programs: Iterable[str]) -> dict[str, bytes]:
        types = source.kernel_types()
        places = self._places()
        found = headers.find_headers()
        if not types or places.has_sockets:  # whose types core.bpf.h does not have
            found.check_release()
        text = source.write(self.name, programs, places, types)
        flags = [*found.flags, f"-I{files('ebprof.bpf')}", "-Wno-everything"]
        names = [source.PREFIX + name for name in programs]
        try:
            compiled = compiler.compile_programs(text, names, flags, found.environment)
        except compiler.CompileError as error:
            raise _unusable(error) from None
        return {name: compiled[source.PREFIX + name] for name in programs}

    def _load_program(self, name: str, kind: int, code: bytes) -> int:
        program = _load(kind, name.encode(), code)
        if program >= 0:
            self._cleanup.callback(os.close, program)
            return program
        log = ffi.new("char[]", _LOG_SIZE)
        error = -_load(kind, name.encode(), code, log)
        text = ffi.string(log).decode(errors="replace").strip()
        raise refusal(f"BPF program {name} as bcc compiles it", error, text)


class Calls:
    """What stands in for an iterator over a map with keys of 8 bytes."""

    def __init__(self, program: int, over: BpfMap) -> None:
        self._program = program
        self._over = over

    def run(self) -> bytes:
        """Call the program with each key once; it writes nothing. Raises MapError, ..."""
        values = np.dtype((np.void, self._over.value_size))
        keys, _ = self._over.read(np.dtype(np.uint64), values)
        options = ffi.new("struct bpf_test_run_opts *")
        options.sz = ffi.sizeof("struct bpf_test_run_opts")
        options.ctx_size_in = keys.itemsize
        address = ffi.cast("char *", ffi.from_buffer(keys)) if len(keys) else ffi.NULL
        for index in range(len(keys)):
            options.ctx_in = address + index * keys.itemsize
            if lib.bpf_prog_test_run_opts(self._program, options):
                raise UnsupportedError(
                    f"cannot run a BPF program: {os.strerror(ffi.errno)}", DOCTOR
                )
        return b""


def check() -> str:
    """The version of bcc, and the headers that it would use. Raises UnsupportedError without."""
    try:
        version = compiler.version()
    except compiler.CompileError as error:
        raise _unusable(error) from None
    found = headers.find_headers()
    if not source.kernel_types():
        found.check_release()
    return f"bcc {version} with the headers of {found.release} in {found.path}"


def _unusable(error: compiler.CompileError) -> UnsupportedError:
    if not error.has_bcc:
        return UnsupportedError(str(error), "apt install python3-bpfcc")
    return UnsupportedError(f"bcc cannot compile the programs: {error}", DOCTOR)


def _load(kind: int, name: bytes, code: bytes, log: Any = ffi.NULL) -> int:
    options = ffi.new(
        "struct bpf_prog_load_opts *", {"sz": ffi.sizeof("struct bpf_prog_load_opts")}
    )
    if log:
        options.log_level, options.log_buf, options.log_size = 1, log, _LOG_SIZE
    buffer = ffi.from_buffer(code)
    instructions = ffi.cast("struct bpf_insn *", buffer)
    return int(lib.bpf_prog_load(kind, name[:15], LICENSE, instructions, len(code) // 8, options))


def _open_probe(program: str, device: str, where: str, offset: int = 0, pid: int = -1) -> int:
    event = int(lib.probe_open(probe_type(device), os.fsencode(where), offset, pid))
    if event < 0:
        raise cannot_attach(program, -event)
    return event
