"""A BPF object file, from bytes to loaded and attached: the one place that talks to libbpf."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from importlib.resources import files
from itertools import count, pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.bpf import rights
from ebprof.bpf.maps import BpfMap
from ebprof.errors import EbprofError, NoPermissionError, UnsupportedError

LOG_LINES = 12
DOCTOR = "run `ebprof doctor` to see what this kernel lacks"


class BpfObject:
    """A BPF object: open, set up, `load`, attach; `close` takes all of it back.

    name: of an object of this package, or the path of another one. types: a file whose BTF stands
    in for the kernel's; empty: the kernel's. Raises UnsupportedError when the object is missing
    from the installation or the kernel refuses it, NoPermissionError without the right to load BPF
    programs.
    """

    iterates_tasks = True
    """Whether `iterate` runs programs on tasks and their files."""

    def __init__(self, name: str | Path, types: str = "") -> None:
        lib.log_capture()
        self.name = str(name)
        self._cleanup = ExitStack()
        self._image = _read(name)
        self._object = lib.bpf_object__open_mem(
            ffi.from_buffer(self._image), len(self._image), self._open_options(types)
        )
        if not self._object:
            raise UnsupportedError(f"cannot open BPF object {name}: {_log()}", DOCTOR)
        self._cleanup.callback(lib.bpf_object__close, self._object)
        self._links: dict[str, ExitStack] = {}
        self._variables: dict[str, dict[str, tuple[int, int]]] = {}

    def _open_options(self, types: str) -> Any:
        if not types:
            return ffi.NULL
        self._types = ffi.new("char[]", os.fsencode(types))
        size = ffi.sizeof("struct bpf_object_open_opts")
        return ffi.new(
            "struct bpf_object_open_opts *", {"sz": size, "btf_custom_path": self._types}
        )

    def set_constants(self, **values: int | bytes) -> None:
        """Set `const volatile` variables before loading; integers take the variable's size."""
        handle = self._map_handle(".rodata")
        size = ffi.new("size_t *")
        section = ffi.buffer(ffi.cast("char *", lib.bpf_map__initial_value(handle, size)), size[0])
        for name, value in values.items():
            offset, width = self._variable(".rodata", name)
            if isinstance(value, int):
                value = value.to_bytes(width, "little")
            section[offset : offset + len(value)] = value

    def set_max_entries(self, name: str, entries: int) -> None:
        """Resize a map before loading."""
        lib.bpf_map__set_max_entries(self._map_handle(name), entries)

    def skip_program(self, name: str) -> None:
        """Leave a program out of the load."""
        lib.bpf_program__set_autoload(self._program(name), False)

    def load(self) -> None:
        """Create the maps and have the kernel verify the programs."""
        result = lib.bpf_object__load(self._object)
        if result == 0:
            return
        if result == -errno.ESRCH:
            raise UnsupportedError("libbpf finds no BTF of this kernel", "use --loader bcc")
        raise refusal(f"BPF object {self.name}", -result, _log())

    def program_fd(self, name: str) -> int:
        """The descriptor of a loaded program, which the object owns."""
        return int(lib.bpf_program__fd(self._program(name)))

    def map(self, name: str) -> BpfMap:
        """A map of the loaded object."""
        return BpfMap(self._map_handle(name), name)

    def variables(self, section: str) -> NDArray[np.uint8]:
        """A writable view (uint8[n]) of a loaded .bss/.data section, shared with the programs.

        Mapped here: libbpf itself does so only for generated skeletons (before 1.5).
        """
        loaded = self.map(section)
        return np.frombuffer(mmap.mmap(loaded.fd, loaded.value_size), np.uint8)

    def variable_offset(self, section: str, name: str) -> int:
        """Where a variable lies in `variables(section)`."""
        return self._variable(section, name)[0]

    def attach(self, program: str) -> None:
        """Attach by what the program's section says (tp_btf, tracepoint, ...)."""
        self._keep(lib.bpf_program__attach(self._program(program)), program)

    def attach_event(self, program: str, event: int) -> None:
        """Attach to a perf event and enable it; the link owns the descriptor `event`."""
        handle = self._program(program)
        self._keep(lib.bpf_program__attach_perf_event(handle, event), program)

    def attach_function(self, program: str, path: str, offset: int, pid: int = -1) -> None:
        """Attach to code at an offset in a file, in one process or (-1) in all."""
        handle = self._program(program)
        link = lib.bpf_program__attach_uprobe(handle, False, pid, os.fsencode(path), offset)
        self._keep(link, program)

    def detach(self, program: str) -> None:
        """Take back a program's attachments; it stays loaded."""
        if program in self._links:
            self._links.pop(program).close()

    def iterate(self, program: str, over: BpfMap | None = None) -> Runnable:
        """An iterator program; `over`: the map whose elements it gets, where it is of that kind."""
        options, keep = ffi.NULL, None
        if over is not None:
            keep = ffi.new("union bpf_iter_link_info *")
            keep.map.map_fd = over.fd
            options = ffi.new(
                "struct bpf_iter_attach_opts *",
                {
                    "sz": ffi.sizeof("struct bpf_iter_attach_opts"),
                    "link_info": keep,
                    "link_info_len": ffi.sizeof("union bpf_iter_link_info"),
                },
            )
        link = lib.bpf_program__attach_iter(self._program(program), options)
        self._keep(link, program)
        return Iteration(link, program)

    def run_statistics(self, program: str) -> tuple[int, float]:
        """Runs of a program and seconds spent, as far as the kernel timed them."""
        info = self._info(program)
        return int(info.run_cnt), info.run_time_ns / 1e9

    def missed_runs(self, program: str) -> int:
        """How often the kernel left a program out as another one was running on the CPU."""
        return int(self._info(program).recursion_misses)

    def _info(self, program: str) -> Any:
        """struct bpf_prog_info; all zero where the kernel does not tell."""
        info = ffi.new("struct bpf_prog_info *")
        size = ffi.new("uint32_t *", ffi.sizeof("struct bpf_prog_info"))
        lib.bpf_obj_get_info_by_fd(self.program_fd(program), info, size)
        return info

    def close(self) -> None:
        """Detach and unload everything."""
        self._cleanup.close()

    def __enter__(self) -> BpfObject:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _keep(self, link: Any, program: str) -> None:
        if not link:
            raise cannot_attach(program, ffi.errno)
        self._on_detach(program, lib.bpf_link__destroy, link)

    def _on_detach(self, program: str, release: Callable[[Any], object], what: Any) -> None:
        """What takes an attachment back, and owns what it is kept by."""
        if program not in self._links:
            self._links[program] = self._cleanup.enter_context(ExitStack())
        self._links[program].callback(release, what)

    @staticmethod
    def has_function(name: str) -> bool:
        """Whether programs can be attached to a function of the kernel."""
        return bool(lib.libbpf_find_vmlinux_btf_id(name.encode(), lib.BPF_TRACE_FENTRY) > 0)

    @staticmethod
    def has_tracepoint(name: str) -> bool:
        """Whether tp_btf programs of this kernel can be attached to a tracepoint."""
        return bool(lib.libbpf_find_vmlinux_btf_id(name.encode(), lib.BPF_TRACE_RAW_TP) > 0)

    def has_map(self, name: str) -> bool:
        """Whether the object has a map of that name."""
        return bool(lib.bpf_object__find_map_by_name(self._object, name.encode()))

    def _map_handle(self, name: str) -> Any:
        handle = lib.bpf_object__find_map_by_name(self._object, name.encode())
        if not handle:
            raise KeyError(f"no map {name} in BPF object {self.name}")
        return handle

    def _program(self, name: str) -> Any:
        handle = lib.bpf_object__find_program_by_name(self._object, name.encode())
        if not handle:
            raise KeyError(f"no program {name} in BPF object {self.name}")
        return handle

    def variables_of(self, section: str) -> dict[str, tuple[int, int]]:
        """Where the variables of a section (`.rodata`, ...) lie: offset and size, by name."""
        if section not in self._variables:
            self._variables[section] = dict(_variables(self._object, section))
        return self._variables[section]

    def _variable(self, section: str, name: str) -> tuple[int, int]:
        try:
            return self.variables_of(section)[name]
        except KeyError:
            raise KeyError(f"no variable {name} in {section} of BPF object {self.name}") from None


class Runnable(Protocol):
    """A program that sees all elements of something."""

    def run(self) -> bytes:
        """Have it see each element once; returns what it wrote.

        Raises UnsupportedError when the kernel fails.
        """


class Iteration:
    """An attached iterator program, by its link; the object that it came from owns it."""

    def __init__(self, link: Any, program: str) -> None:
        self._link = link
        self._program = program

    def run(self) -> bytes:
        """Have the program see each element once; returns what it wrote.

        Raises UnsupportedError when the kernel fails.
        """
        fd = lib.bpf_iter_create(lib.bpf_link__fd(self._link))
        if fd < 0:
            raise UnsupportedError(
                f"cannot start BPF iterator {self._program}: {os.strerror(-fd)}", DOCTOR
            )
        try:
            return b"".join(iter(partial(_read_on, fd), b""))
        finally:
            os.close(fd)


def refusal(what: str, code: int, log: str) -> EbprofError:
    """The error for what the kernel did not load; code: an errno value, log: the verifier's."""
    if code in (errno.EPERM, errno.EACCES) and rights.lacking():
        return NoPermissionError(
            f"the kernel refused {what} ({os.strerror(code)})",
            rights.advice(rights.UNPRIVILEGED_BPF),
        )
    reason = ": ".join(filter(None, [os.strerror(code), _last_word(log)]))
    if code == errno.EPERM:  # no verifier has looked at it: the log has nothing to say
        return UnsupportedError(
            f"the kernel refused {what} ({reason})", rights.advice(rights.UNPRIVILEGED_BPF)
        )
    return UnsupportedError(f"the kernel refused {what} ({reason})\n{_last_lines(log)}", DOCTOR)


def cannot_attach(program: str, code: int) -> UnsupportedError:
    """The error for it; code: an errno value."""
    return UnsupportedError(f"cannot attach BPF program {program}: {os.strerror(code)}", DOCTOR)


def _variables(handle: Any, section: str) -> Iterator[tuple[str, tuple[int, int]]]:
    found = ffi.new("struct variable *")
    for index in count():
        if lib.variable_at(handle, section.encode(), index, found):
            return
        yield ffi.string(found.name).decode(), (found.offset, found.size)


def _read_on(fd: int) -> bytes:
    """Nothing at the end; EAGAIN is a pause after a million elements."""
    try:
        return os.read(fd, 1 << 16)
    except BlockingIOError:
        return _read_on(fd)


def _read(name: str | Path) -> bytes:
    try:
        if isinstance(name, Path):
            return name.read_bytes()
        return (files("ebprof.bpf") / f"{name}.bpf.o").read_bytes()
    except FileNotFoundError:
        raise UnsupportedError(
            f"BPF object {name} is missing from this installation", "reinstall ebprof"
        ) from None


def _last_word(log: str) -> str:
    """What the verifier said at last, before its statistics; empty when it was not asked."""
    for line, next_line in pairwise(log.splitlines()):
        if next_line.startswith("processed ") and not line.startswith("libbpf: "):
            return line
    return ""


def _log() -> str:
    buffer = ffi.new("char[]", 1 << 16)
    lib.log_take(buffer, len(buffer))
    text = ffi.string(buffer).decode(errors="replace").strip()
    return _last_lines(text) or os.strerror(ffi.errno)


def _last_lines(log: str) -> str:
    return "\n".join(log.splitlines()[-LOG_LINES:])
