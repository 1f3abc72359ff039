"""Where a store is: what a URL says, and what nobody is shown of it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from ebprof.collector.store.url import PASSWORD, StoreUrl, parse_store_url
from ebprof.errors import UsageError
from ebprof.tls import TlsFiles

SECRET = "s3cret"


def test_what_it_says() -> None:
    found = parse_store_url("clickhouse://me:a%2Fb%40c@db.example:9/prof")
    assert found == StoreUrl("db.example", 9, "prof", "me", "a/b@c")
    assert pickle.loads(pickle.dumps(found)) == found
    assert parse_store_url("clickhouse://[::1]") == StoreUrl("::1", 8123)
    secure = parse_store_url("clickhouse://h/?secure=1&ca=/ca.pem&cluster=c1")
    assert secure == StoreUrl(
        "h", 8443, is_secure=True, tls=TlsFiles(ca=Path("/ca.pem")), cluster="c1"
    )


def test_the_password_may_be_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, SECRET)
    assert parse_store_url("clickhouse://me@h").password == SECRET
    assert parse_store_url("clickhouse://me:other@h").password == "other"


def test_it_is_shown_without_user_and_password() -> None:
    found = parse_store_url(f"clickhouse://me:{SECRET}@h/d")
    assert str(found) == "clickhouse://h:8123/d"
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"http://me:{SECRET}@h", "it does not name a host"),
        (f"clickhouse://me:{SECRET}@", "it does not name a host"),
        (f"clickhouse://me:{SECRET}@h:x/d", ""),
        (f"clickhouse://me:{SECRET}@h:99999/d", ""),
        (f"clickhouse://me:{SECRET}@h/a;b", "'a;b' is no name"),
        (f"clickhouse://me:{SECRET}@h?cluster=-", "'-' is no name"),
        (f"clickhouse://me:{SECRET}@h?tls=1", "tls is none of secure, ca"),
        (f"clickhouse://me:{SECRET}@h?secure=yes", "secure is 0 or 1"),
        (f"clickhouse://me:{SECRET}@h?ca=/x", "need secure=1"),
        (f"me:{SECRET}@h", "it does not name a host"),
        (f"clickhouse://me:{SECRET}@[h", ""),
    ],
)
def test_what_cannot_be_read_is_said_without_the_password(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_store_url(text)
    assert caught.value.message.startswith("cannot read --store '")
    assert reason in caught.value.message
    assert SECRET not in caught.value.message
