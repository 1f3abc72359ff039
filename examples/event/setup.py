"""Compiles the BPF program into the package."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

from ebprof.bpf import compile as bpf_compiler


class BuildWithProgram(build_py):
    """The package's Python, then its *.bpf.o."""

    def run(self) -> None:
        """Build both."""
        super().run()
        bpf_compiler.build(Path("ebprof_bigwrite"), Path(self.build_lib) / "ebprof_bigwrite")


setup(cmdclass={"build_py": BuildWithProgram})
