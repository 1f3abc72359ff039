"""The cffi module that native/ffi_module.py builds from our C headers and libbpf."""

from typing import Any

ffi: Any
lib: Any
