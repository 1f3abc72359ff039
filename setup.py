"""Builds what pyproject.toml cannot say: the BPF objects and the native module."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

sys.path.insert(0, str(Path(__file__).parent))

from ebprof.bpf import compile as bpf_compiler
from native import ffi_module


class BuildNative(build_ext):
    """Compiles the cffi module, then every *.bpf.c beside it."""

    def run(self) -> None:
        """Build both into the package, in place or in the build directory."""
        super().run()
        root = Path() if self.inplace else Path(self.build_lib)
        bpf_compiler.build(Path("ebprof/bpf"), root / "ebprof/bpf")


sources = [ffi_module.write_source(Path("build/native")), *ffi_module.SOURCES]
setup(
    ext_modules=[Extension("ebprof._native", sources, **ffi_module.EXTENSION)],
    cmdclass={"build_ext": BuildNative},
)
