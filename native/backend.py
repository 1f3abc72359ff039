"""The build backend of pyproject.toml: setuptools', once the system has what a build needs.

pip installs what a build requires before anything else happens, which takes a while; here it asks
first, and a system that lacks a compiler or headers hears so at once.
"""

from __future__ import annotations

from typing import Any

from native import needed

REQUIRES = (
    "setuptools>=77",
    "cffi>=1.16",
    "ziglang==0.17.1; platform_machine in 'x86_64 aarch64'",
    # What the commands import, for the man page:
    "click>=8.1",
    "numpy>=1.24",
    "pyelftools>=0.32",
    "rich>=13",
)


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """What a build requires; ends with one line where the system lacks something."""
    needed.check()
    return list(REQUIRES)


get_requires_for_build_editable = get_requires_for_build_wheel


def get_requires_for_build_sdist(config_settings: Any = None) -> list[str]:
    """What an archive of the sources requires, for which nothing is compiled."""
    return list(REQUIRES)


def build_editable(*arguments: Any, **named: Any) -> Any:
    """setuptools' own. pip 23 looks whether there is this hook before it has setuptools."""
    from setuptools import build_meta

    return build_meta.build_editable(*arguments, **named)


def __getattr__(name: str) -> Any:
    """The other hooks are setuptools' own, which is there by then."""
    if name.startswith("_"):
        raise AttributeError(name)
    from setuptools import build_meta

    return getattr(build_meta, name)


if __name__ == "__main__":
    print(*REQUIRES, sep="\n")
