"""Tables of a cluster: each statement of the migrations is for all servers, or adds rows."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("pyarrow")

from ebprof.collector.store.cluster import replicated
from ebprof.collector.store.database import migrations, statements

ALL = [one for _, text in migrations() for one in statements(text)]


@pytest.mark.parametrize("statement", ALL, ids=lambda one: " ".join(one.split())[-40:])
def test_a_statement_of_a_migration(statement: str) -> None:
    found = replicated(statement, "c1")
    code = re.sub(r"^--.*\n", "", statement, flags=re.MULTILINE)
    if code.startswith("INSERT"):
        assert found == statement
        return
    assert found.count("ON CLUSTER 'c1'") == 1
    assert not re.search(r"ENGINE = (Summing|Replacing)?MergeTree", found)
    assert found.replace(" ON CLUSTER 'c1'", "").replace("Replicated", "") == statement


def test_what_it_is_like() -> None:
    made = replicated("CREATE TABLE IF NOT EXISTS a (n UInt8)\nENGINE = SummingMergeTree(n)", "c1")
    assert made == (
        "CREATE TABLE IF NOT EXISTS a ON CLUSTER 'c1' (n UInt8)\n"
        "ENGINE = ReplicatedSummingMergeTree(n)"
    )
    changed = "ALTER TABLE a MODIFY TTL ts + toIntervalSecond(1)"
    assert replicated(changed, "c1") == changed.replace("TABLE a", "TABLE a ON CLUSTER 'c1'")
