"""Builds what pyproject.toml cannot say: the BPF objects, the native module and the man page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from setuptools import Command, Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

sys.path.insert(0, str(Path(__file__).parent))

from ebprof.bpf import compile as bpf_compiler
from native import ffi_module, needed


class BuildNative(build_ext):
    """Compiles the cffi module, then every *.bpf.c beside it."""

    def run(self) -> None:
        """Build both into the package, in place or in the build directory."""
        super().run()
        root = Path() if self.inplace else Path(self.build_lib)
        bpf_compiler.build(Path("ebprof/bpf"), root / "ebprof/bpf")


class BuildManPage(Command):
    """Writes ebprof(1) from the commands that were just built: they are imported for it."""

    def initialize_options(self) -> None:
        """There are none."""

    def finalize_options(self) -> None:
        """There are none."""

    def run(self) -> None:
        """Write it to MAN_PAGE."""
        native = self.get_finalized_command("build_ext")
        built = Path.cwd() if native.inplace else Path(native.build_lib).absolute()
        paths = [str(built), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        MAN_PAGE.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "native/man_page.py", MAN_PAGE], env=environment, check=True
        )


MAN_PAGE = Path("build/man/ebprof.1")
build.sub_commands.append(("build_man_page", None))
needed.check()
sources = [ffi_module.write_source(Path("build/native")), *ffi_module.SOURCES]
headers = sorted(map(str, Path("ebprof").rglob("*.h")))
setup(
    ext_modules=[Extension("ebprof._native", sources, depends=headers, **ffi_module.EXTENSION)],
    cmdclass={"build_ext": BuildNative, "build_man_page": BuildManPage},
    data_files=[
        ("share/man/man1", [str(MAN_PAGE)]),
        ("lib/systemd/system", sorted(map(str, Path("systemd").glob("*.service")))),
    ],
)
