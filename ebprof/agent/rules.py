"""Rules for names of services, as a file of options has them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from ebprof.agent.services import Rule
from ebprof.errors import BadFileError

TABLE = "service"


def read_rules(path: Path, found: object) -> tuple[Rule, ...]:
    """The rules of a list of tables; raises BadFileError. path: of the file, for messages."""
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise BadFileError(f"{path}: service is no list", "write [[service]] above each rule")
    return tuple(_rule(path, number, one) for number, one in enumerate(found, 1))


def _rule(path: Path, number: int, found: dict[str, object]) -> Rule:
    known = {one.name for one in fields(Rule)}
    unknown = sorted(found.keys() - known)
    if unknown:
        raise BadFileError(
            f"{path}: rule {number} has {unknown[0]!r}", f"there are {', '.join(sorted(known))}"
        )
    texts = {name: value for name, value in found.items() if isinstance(value, str) and value}
    if len(texts) < len(found) or len(texts) < 2:
        raise BadFileError(
            f"{path}: cannot read rule {number}",
            f"it needs name and some of {', '.join(sorted(known - {'name'}))}, which are texts",
        )
    if "name" not in texts:
        raise BadFileError(f"{path}: rule {number} has no name")
    return Rule(**texts)
