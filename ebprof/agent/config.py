"""An agent's file: the options of the command line, and rules for names of services, as TOML."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ebprof.agent.services import Rule
from ebprof.errors import BadFileError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 1 << 20
_RULES = "service"
_KINDS: dict[str, type] = {
    "collector": list,
    "interval": str,
    "frequency": int,
    "spool": str,
    "spool-size": int,
    "listen": str,
    "insecure": bool,
    "token-file": str,
    "node": str,
}


@dataclass(frozen=True, slots=True)
class Config:
    """What a file says. values: by name of the option."""

    values: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


def read(path: Path | None) -> Config:
    """What a file says; raises BadFileError. Without a file, nothing."""
    if path is None:
        return Config()
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES).decode()
        found = tomllib.loads(text)
    except OSError as error:
        raise BadFileError(f"cannot read {path}: {(error.strerror or '').lower()}") from None
    except ValueError as error:
        raise BadFileError(f"cannot read {path}: {error}") from None
    rules = _rules(path, found.pop(_RULES, []))
    for name, value in found.items():
        _check(path, name, value)
    return Config(found, rules)


def _check(path: Path, name: str, value: object) -> None:
    kind = _KINDS.get(name)
    if kind is None:
        known = ", ".join(sorted(_KINDS))
        raise BadFileError(f"{path}: unknown option {name!r}", f"there are {known}")
    is_right = type(value) is kind
    if isinstance(value, list):
        is_right = all(isinstance(one, str) for one in value) and kind is list
    if not is_right:
        raise BadFileError(f"{path}: {name} is {value!r}, which is no {kind.__name__}")


def _rules(path: Path, found: object) -> tuple[Rule, ...]:
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise BadFileError(f"{path}: service is no list", "write [[service]] above each rule")
    return tuple(_rule(path, number, one) for number, one in enumerate(found, 1))


def _rule(path: Path, number: int, found: dict[str, object]) -> Rule:
    known = {one.name for one in fields(Rule)}
    texts = {name: value for name, value in found.items() if isinstance(value, str) and value}
    if len(texts) < len(found) or not texts.keys() <= known or len(texts) < 2:
        raise BadFileError(
            f"{path}: cannot read rule {number}", f"it needs name and some of {sorted(known)}"
        )
    if "name" not in texts:
        raise BadFileError(f"{path}: rule {number} has no name")
    return Rule(**texts)
