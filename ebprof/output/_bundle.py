"""ES modules as one script, for files that load nothing: each becomes a function that runs once.

Modules import names by `import { a, b } from "./x.js";` and export functions, classes and constants
where they are declared, or by `export { a };`. That is all that is understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+)\.js";$', re.MULTILINE)
_DECLARED = re.compile(r"^export ((?:async )?(?:function|const|class) (\w+))", re.MULTILINE)
_LISTED = re.compile(r"^export \{([^}]*)\};$", re.MULTILINE)


def bundle(entry: str, read: Callable[[str], str]) -> str:
    """The script of a module and all that it imports; read: gives the text of a module by name."""
    done: dict[str, str] = {}
    _add(entry, read, done, ())
    return '"use strict";\n' + "".join(done.values())


def _add(
    name: str, read: Callable[[str], str], done: dict[str, str], above: tuple[str, ...]
) -> None:
    if name in done:
        return
    if name in above:
        raise ValueError(f"{name}.js imports itself, by {', '.join(above)}")
    text = read(name)
    for _, other in _IMPORT.findall(text):
        _add(other, read, done, (*above, name))
    done[name] = _wrapped(name, text)


def _wrapped(name: str, text: str) -> str:
    listed = [one for names in _LISTED.findall(text) for one in _names(names)]
    exported = dict.fromkeys([*(found for _, found in _DECLARED.findall(text)), *listed])
    text = _IMPORT.sub(lambda match: f"const {{{match[1]}}} = {_variable(match[2])};", text)
    text = _LISTED.sub("", _DECLARED.sub(r"\1", text))
    if re.search(r"^(?:import|export)\b", text, re.MULTILINE):
        raise ValueError(f"{name}.js imports or exports in a way that is not understood")
    result = f"return {{ {', '.join(exported)} }};"
    return f"const {_variable(name)} = (() => {{\n{text}{result}\n}})();\n"


def _names(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _variable(name: str) -> str:
    return f"$module_{name.replace('-', '_')}"
