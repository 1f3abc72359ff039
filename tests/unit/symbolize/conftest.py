"""Small programs, compiled once a session, and a symbolizer with a cache of its own."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ebprof.elf import ObjectFile, open_regular
from ebprof.symbolize import Symbolizer
from tests.binutils import run

INLINED = r"""
#include <cstdlib>
#define NOINLINE __attribute__((noinline))
#define INLINE inline __attribute__((always_inline))
namespace ns {
struct Base { virtual ~Base() = default; int x = 0; };
INLINE int mix(int x) {
    volatile int y = x;
    return y * 3;
}
INLINE int twice(int x) {
    return mix(x) + mix(x + 1);
}
NOINLINE int work(int n) {
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += twice(i);
    return sum;
}
template <typename T> NOINLINE T generic(T value, const char *text) {
    volatile T copy = value;
    return copy + work(text[0]);
}
struct Shape {
    NOINLINE Shape(int sides) : sides(sides) { sides = work(sides); }
    NOINLINE int area() const { return twice(sides); }
    volatile int sides;
};
}
extern "C" NOINLINE int plain_c(int x) { return ns::mix(x); }
int main(int argc, char **argv) {
    ns::Shape shape(argc);
    if (argc > 100) abort();
    return ns::generic<long>(argc, argv[0]) + shape.area() + plain_c(argc);
}
"""

STATICS = r"""
#define NOINLINE __attribute__((noinline))
static NOINLINE int hidden_helper(int x) { volatile int y = x; return y + 1; }
NOINLINE int visible(int x) { return hidden_helper(x) * hidden_helper(x + 1); }
int main(int argc, char **argv) { (void)argv; return visible(argc); }
"""

RUST = r"""
mod inner {
    #[inline(never)]
    pub fn compute(values: &[u64]) -> u64 { values.iter().map(|v| v * 3).sum() }
    pub struct Wheel<T>(pub T);
    impl<T: Copy + Into<u64>> Wheel<T> {
        #[inline(never)]
        pub fn turn(&self) -> u64 { compute(&[self.0.into(), 2, 3]) }
    }
}
fn main() {
    let count = std::env::args().count() as u32;
    std::process::exit(inner::Wheel(count).turn() as i32);
}
"""

Compile = Callable[..., Path]


@pytest.fixture(scope="session")
def compile_program(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """compile_program(source, "g++", *flags) -> path of the executable, built once."""
    directory = tmp_path_factory.mktemp("programs")
    suffixes = {"gcc": ".c", "g++": ".cpp", "rustc": ".rs"}

    def compile_program(source: str, compiler: str, *flags: str) -> Path:
        if shutil.which(compiler) is None:
            pytest.skip(f"no {compiler} here")
        digest = hashlib.sha256(repr((source, compiler, flags)).encode()).hexdigest()[:12]
        place = directory / digest
        output = place / "program"
        if not output.exists():
            place.mkdir()
            file = place / f"source{suffixes[compiler]}"
            file.write_text(source)
            run(compiler, *flags, "-o", output, file)
        return output

    return compile_program


@contextmanager
def opened(path: Path, name: str = "", root: str = "") -> Iterator[ObjectFile]:
    """An object file, closed at the end."""
    file = ObjectFile.open(open_regular(str(path)), name or str(path), root)
    try:
        yield file
    finally:
        file.close()


@pytest.fixture
def symbolizer(tmp_path: Path) -> Iterator[Symbolizer]:
    """A symbolizer with an empty cache."""
    found = Symbolizer(cache=tmp_path / "cache" / "symcache")
    yield found
    found.close()
