from __future__ import annotations

import pytest

from ebprof.output._bundle import bundle

A = """/* A. */
import { b, C } from "./b.js";
import { d } from "./c-d.js";

export const a = b(d);
export async function later() {}
export { C };
"""
MODULES = {
    "a": A,
    "b": 'import { d } from "./c-d.js";\nexport function b(x) { return x; }\nexport class C {}\n',
    "c-d": "const hidden = 1;\nexport const d = hidden;\n",
}


def test_modules_come_before_those_that_import_them_and_once() -> None:
    assert bundle("a", MODULES.__getitem__) == (
        '"use strict";\n'
        "const $module_c_d = (() => {\nconst hidden = 1;\nconst d = hidden;\nreturn { d };\n})();\n"
        "const $module_b = (() => {\nconst { d } = $module_c_d;\n"
        "function b(x) { return x; }\nclass C {}\nreturn { b, C };\n})();\n"
        "const $module_a = (() => {\n/* A. */\nconst { b, C } = $module_b;\n"
        "const { d } = $module_c_d;\n\nconst a = b(d);\nasync function later() {}\n\n"
        "return { a, later, C };\n})();\n"
    )


@pytest.mark.parametrize(
    "line", ['import x from "./b.js";', "export default 1;", 'export * from "./b.js";']
)
def test_what_is_not_understood_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="in a way that is not understood"):
        bundle("a", {"a": line + "\n"}.__getitem__)


def test_modules_that_import_each_other_are_refused() -> None:
    both = {"a": 'import { b } from "./b.js";\n', "b": 'import { a } from "./a.js";\n'}
    with pytest.raises(ValueError, match=r"a\.js imports itself"):
        bundle("a", both.__getitem__)
