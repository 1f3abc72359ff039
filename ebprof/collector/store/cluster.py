"""Statements that make and change tables, for all servers of a cluster."""

from __future__ import annotations

import re

_NAMED = re.compile(
    r"^(?P<verb>CREATE (?:TABLE|DATABASE) IF NOT EXISTS|ALTER TABLE|TRUNCATE TABLE"
    r"|DROP TABLE IF EXISTS) (?P<name>\w+)",
    re.MULTILINE,
)
_ENGINE = re.compile(r"\bENGINE = (?=(?:Summing|Replacing)?MergeTree\b)")


def replicated(statement: str, cluster: str) -> str:
    """A statement for each server of a cluster, whose tables are copies of each other.

    Paths in Keeper and names of replicas are those that the servers have as defaults, by their
    macros. What adds rows is left as it is: the servers pass them on.
    """
    found = _NAMED.sub(rf"\g<verb> \g<name> ON CLUSTER '{cluster}'", statement, count=1)
    return _ENGINE.sub("ENGINE = Replicated", found)
